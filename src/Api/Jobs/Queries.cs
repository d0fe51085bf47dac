using Microsoft.AspNetCore.Http;
using Millrace.Api.Errors;

namespace Millrace.Api.Jobs;

/// <summary>Query parameters under /v1: unknown names are refused.</summary>
internal static class Queries
{
    public static void AllowOnly(HttpRequest request, params ReadOnlySpan<string> names)
    {
        foreach (var name in request.Query.Keys)
        {
            if (!names.Contains(name) && !(names.Contains("metadata.*") && name.StartsWith("metadata.", StringComparison.Ordinal)))
                throw Invalid(name, "is not a query parameter here");
        }
    }

    public static RefusedException Invalid(string name, string what)
    {
        var shown = name.Length <= 64 ? name : name[..64] + "…";
        return new(new Refusal(ErrorCode.InvalidRequest, $"Query parameter {shown} {what}.") { Errors = [new FieldError(shown, what)] });
    }
}
