using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;

namespace Millrace.Api.Errors;

/// <summary>Where the <c>type</c> of a problem points: a short text about it.</summary>
internal static class ProblemEndpoints
{
    public static void MapProblems(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/problems").WithTags("Problems");
        group.MapGet("/", List).NeedsNothing().WithName("ListProblems").WithSummary("All codes of the closed list").Produces<string>(200, "text/html");
        group.MapGet("/{code}", Read).NeedsNothing().WithName("ReadProblem").WithSummary("What a code means").Produces<string>(200, "text/html");
    }

    private static IResult List() => Page("Problems", string.Concat(ErrorCodes.All.Values.OrderBy(e => e.Status).ThenBy(e => e.Code)
        .Select(e => $"<li>{e.Status} <a href=\"/problems/{e.Name}\">{e.Name}</a>: {WebUtility.HtmlEncode(e.Title)}</li>")));

    private static IResult Read(string code) => ErrorCodes.All.Values.FirstOrDefault(e => e.Name == code) is { } info
        ? Page(info.Name, $"<p>HTTP status {info.Status}. {WebUtility.HtmlEncode(info.Title)}.</p><p>{WebUtility.HtmlEncode(info.Meaning)}</p>")
        : throw new RefusedException(ErrorCode.NotFound, "There is no such code; GET /problems lists them all.");

    private static IResult Page(string title, string body) => Results.Content(
        $"<!doctype html><meta charset=\"utf-8\"><title>{title}</title><body style=\"font-family:sans-serif;max-width:50em;margin:2em\"><h1>{title}</h1>{body}",
        "text/html; charset=utf-8");
}
