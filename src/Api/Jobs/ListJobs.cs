using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Millrace.Api.Http;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

/// <summary><c>GET /v1/jobs</c>: filters, and pages by keyset.</summary>
/// <remarks>Source: AIP-158 for the limits, RFC 8288 for Link.</remarks>
internal static class ListJobs
{
    private const int DefaultLimit = 50;
    private const int LargestLimit = 200;

    public static async Task HandleAsync(HttpContext context, IJobStore store, JobCursors cursors, TimeProvider time)
    {
        var filter = Read(context);
        if (context.Request.Query["cursor"] is [{ Length: > 0 } cursor, ..])
            filter = filter with { After = await cursors.ReadAsync(cursor, filter, context.RequestAborted) };
        var jobs = await store.ListAsync(filter, context.RequestAborted);
        string? next = null;
        if (jobs.Count > filter.Limit)
        {
            jobs = jobs.Take(filter.Limit).ToArray();
            next = await cursors.WriteAsync(jobs[^1], filter, context.RequestAborted);
            context.Response.Headers.Link = $"<{NextUrl(context.Request, next)}>; rel=\"next\"";
        }
        await JsonBody.WriteAsync(context, new JobList(jobs.Select(j => JobView.From(j, time)).ToArray(), next), ApiJson.Default.JobList);
    }

    private static JobFilter Read(HttpContext context)
    {
        var query = context.Request.Query;
        Queries.AllowOnly(context.Request, "state", "model", "priority", "created_after", "created_before", "replay_of", "metadata.*", "order", "limit", "cursor");
        return new JobFilter
        {
            Tenant = context.Tenant(),
            States = query["state"].Select(State).Distinct().Order().ToArray(),
            Model = query["model"].FirstOrDefault(),
            Priority = query["priority"].FirstOrDefault() is { } priority ? Whole("priority", priority) : null,
            CreatedAfter = Time(query, "created_after"),
            CreatedBefore = Time(query, "created_before"),
            ReplayOf = query["replay_of"].FirstOrDefault() is { } source ? Source(source) : null,
            Metadata = query.Where(p => p.Key.StartsWith("metadata.", StringComparison.Ordinal))
                .ToDictionary(p => p.Key["metadata.".Length..], p => p.Value.ToString()),
            Ascending = query["order"].FirstOrDefault() switch
            {
                null or "desc" => false,
                "asc" => true,
                _ => throw Queries.Invalid("order", "must be asc or desc"),
            },
            Limit = query["limit"].FirstOrDefault() is { } limit ? Limit(Whole("limit", limit)) : DefaultLimit,
        };
    }

    private static int Limit(int asked) => asked == 0 ? DefaultLimit : Math.Min(asked, LargestLimit);

    private static int Whole(string name, string text) => text.Length > 0 && text.All(char.IsAsciiDigit)
        ? int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : int.MaxValue
        : throw Queries.Invalid(name, "must be a whole number from 0");

    private static JobState State(string? text) => Enum.GetValues<JobState>().Where(s => JobView.Name(s) == text).Cast<JobState?>().FirstOrDefault()
        ?? throw Queries.Invalid("state", "must be queued, running, succeeded, failed, canceled or expired");

    private static JobId Source(string text) => JobId.TryParse(text, out var id) ? id : throw Queries.Invalid("replay_of", "must be a job's id");

    private static DateTimeOffset? Time(IQueryCollection query, string name)
    {
        if (query[name].FirstOrDefault() is not { } text)
            return null;
        return JobTimes.TryParse(text, out var time) ? time : throw Queries.Invalid(name, "must be a time as RFC 3339, like 2030-01-31T12:00:00Z");
    }

    private static string NextUrl(HttpRequest request, string cursor)
    {
        var pairs = request.Query.Where(p => p.Key != "cursor").SelectMany(p => p.Value.Select(v => KeyValuePair.Create(p.Key, v)));
        return QueryHelpers.AddQueryString(request.Path, pairs.Append(KeyValuePair.Create<string, string?>("cursor", cursor)));
    }
}
