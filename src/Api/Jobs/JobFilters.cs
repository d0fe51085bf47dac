using System.Globalization;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

/// <summary>The filters of lists, as query parameters.</summary>
/// <remarks>Source: AIP-158 for the limits.</remarks>
internal static class JobFilters
{
    private const int DefaultLimit = 50;
    private const int LargestLimit = 200;

    /// <param name="further">Query parameters that the caller takes besides the filters.</param>
    public static JobFilter Read(HttpContext context, params ReadOnlySpan<string> further)
    {
        var query = context.Request.Query;
        Queries.AllowOnly(context.Request, ["state", "model", "priority", "created_after", "created_before", "replay_of", "fingerprint", "metadata.*", .. further]);
        return new JobFilter
        {
            Tenant = context.Tenant(),
            States = query["state"].Select(State).Distinct().Order().ToArray(),
            Model = query["model"].FirstOrDefault(),
            Priority = query["priority"].FirstOrDefault() is { } priority ? Whole("priority", priority) : null,
            CreatedAfter = Time(query, "created_after"),
            CreatedBefore = Time(query, "created_before"),
            ReplayOf = query["replay_of"].FirstOrDefault() is { } source ? Source(source) : null,
            Fingerprint = query["fingerprint"].FirstOrDefault(),
            Metadata = query.Where(p => p.Key.StartsWith("metadata.", StringComparison.Ordinal))
                .ToDictionary(p => p.Key["metadata.".Length..], p => p.Value.ToString()),
            Ascending = query["order"].FirstOrDefault() switch
            {
                null or "desc" => false,
                "asc" => true,
                _ => throw Queries.Invalid("order", "must be asc or desc"),
            },
            Limit = Limit(context.Request),
        };
    }

    /// <summary>How many a page has, of any list.</summary>
    public static int Limit(HttpRequest request) =>
        request.Query["limit"].FirstOrDefault() is { } text && Whole("limit", text) is > 0 and var asked ? Math.Min(asked, LargestLimit) : DefaultLimit;

    private static int Whole(string name, string text) => text.Length > 0 && text.All(char.IsAsciiDigit)
        ? int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : int.MaxValue
        : throw Queries.Invalid(name, "must be a whole number from 0");

    public static JobState? StateOf(string? text) => Enum.GetValues<JobState>().Where(s => JobView.Name(s) == text).Cast<JobState?>().FirstOrDefault();

    private static JobState State(string? text) => StateOf(text)
        ?? throw Queries.Invalid("state", "must be queued, running, succeeded, failed, canceled or expired");

    private static JobId Source(string text) => JobId.TryParse(text, out var id) ? id : throw Queries.Invalid("replay_of", "must be a job's id");

    private static DateTimeOffset? Time(IQueryCollection query, string name)
    {
        if (query[name].FirstOrDefault() is not { } text)
            return null;
        return JobTimes.TryParse(text, out var time) ? time : throw Queries.Invalid(name, "must be a time as RFC 3339, like 2030-01-31T12:00:00Z");
    }
}
