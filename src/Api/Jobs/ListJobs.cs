using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Millrace.Api.Http;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

/// <summary><c>GET /v1/jobs</c>: filters, and pages by keyset.</summary>
/// <remarks>Source: AIP-158 for the limits, RFC 8288 for Link.</remarks>
internal static class ListJobs
{
    public static async Task HandleAsync(HttpContext context, IJobStore store, JobCursors cursors, TimeProvider time)
    {
        var filter = JobFilters.Read(context, "order", "limit", "cursor");
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

    internal static string NextUrl(HttpRequest request, string cursor)
    {
        var pairs = request.Query.Where(p => p.Key != "cursor").SelectMany(p => p.Value.Select(v => KeyValuePair.Create(p.Key, v)));
        return QueryHelpers.AddQueryString(request.Path, pairs.Append(KeyValuePair.Create<string, string?>("cursor", cursor)));
    }
}
