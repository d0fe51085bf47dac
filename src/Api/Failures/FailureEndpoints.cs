using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Jobs;
using Millrace.Storage.Access;
using Millrace.Storage.Replays;

namespace Millrace.Api.Failures;

/// <summary>Failed jobs of one kind: the same model, version, code and message but for the numbers in it.</summary>
/// <param name="Code">Of the one that failed last, as the message.</param>
/// <param name="Example">The id of the one that failed last.</param>
public sealed record FailureView(
    string Fingerprint, string Model, string ModelVersion, string Code, string Message, long Count, DateTime FirstSeen, DateTime LastSeen, string Example);

/// <param name="NextCursor">Null at the end, and only there.</param>
public sealed record FailureList(IReadOnlyList<FailureView> Data, string? NextCursor);

internal static class FailureEndpoints
{
    public static void MapFailures(this IEndpointRouteBuilder routes) =>
        routes.MapGroup("/v1/failures").WithTags("Replays").MapGet("/", ListAsync).Needs(Roles.Read).WithName("ListFailures")
            .WithSummary("Failed jobs in groups, the last seen first").Produces<FailureList>().Produces<Problem>(400, "application/problem+json");

    private static async Task ListAsync(HttpContext context, IReplayStore store, JobCursors cursors)
    {
        var filter = JobFilters.Read(context, "limit", "cursor");
        (DateTimeOffset, string)? after = context.Request.Query["cursor"] is [{ Length: > 0 } cursor, ..] ? await cursors.ReadGroupAsync(cursor, filter, context.RequestAborted) : null;
        var groups = await store.ListFailuresAsync(filter, after, filter.Limit, context.RequestAborted);
        string? next = null;
        if (groups.Count > filter.Limit)
        {
            groups = groups.Take(filter.Limit).ToArray();
            next = await cursors.WriteAsync(groups[^1], filter, context.RequestAborted);
            context.Response.Headers.Link = $"<{ListJobs.NextUrl(context.Request, next)}>; rel=\"next\"";
        }
        await JsonBody.WriteAsync(context, new FailureList(groups.Select(View).ToArray(), next), ApiJson.Default.FailureList);
    }

    private static FailureView View(FailureGroup g) => new(
        g.Fingerprint, g.Model, g.ModelVersion, g.Code, g.Message, g.Count, g.FirstSeen.UtcDateTime, g.LastSeen.UtcDateTime, g.Example.ToString());
}
