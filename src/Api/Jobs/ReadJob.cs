using System.Globalization;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Http;
using Millrace.Api.Limits;
using Millrace.Api.Queues;
using Millrace.Api.Telemetry;
using Millrace.Hosting.Telemetry;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

/// <summary><c>GET /v1/jobs/{id}</c>: at once, or held until the job ends.</summary>
internal static class ReadJob
{
    public static async Task HandleAsync(HttpContext context, IJobStore store, JobWaiters waiters, DrainMeter drain, TimeProvider time, string id)
    {
        Queries.AllowOnly(context.Request, "wait");
        var job = JobIds.Parse(id);
        var wait = Wait(context);
        if (wait is { } seconds)
        {
            context.Features.Get<InFlight.Place>()?.Wait();
            await waiters.WaitAsync(context.Tenant(), job, TimeSpan.FromSeconds(seconds), context.RequestAborted);
        }
        var details = await store.ReadDetailsAsync(context.Tenant(), job, context.RequestAborted) ?? throw JobIds.Unknown();
        context.Tag(details.Job);
        Spans.LinkTo(details.Job.TraceParent);
        var tag = ETag(details.Job);
        context.Response.Headers.ETag = tag;
        context.Response.Headers.CacheControl = "no-cache";
        if (wait is null && Matches(context.Request, tag)) // an elapsed wait is answered with the job, never with 304
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }
        await JsonBody.WriteAsync(context, JobView.From(details, drain, time), ApiJson.Default.JobView);
    }

    /// <summary>Weak: queue_position and estimated_start change without it.</summary>
    private static string ETag(Job job) => string.Create(CultureInfo.InvariantCulture, $"W/\"{job.Version}\"");

    private static bool Matches(HttpRequest request, string tag) =>
        request.Headers.GetCommaSeparatedValues("If-None-Match").Any(t => t == "*" || Strong(t.Trim()) == Strong(tag));

    private static string Strong(string tag) => tag.StartsWith("W/", StringComparison.Ordinal) ? tag[2..] : tag;

    private static int? Wait(HttpContext context)
    {
        if (context.Request.Query["wait"] is [{ } text, ..])
        {
            return text.Length > 0 && text.All(char.IsAsciiDigit)
                ? Math.Min(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? seconds : Preferences.LongestWait, Preferences.LongestWait)
                : throw Queries.Invalid("wait", "must be a whole number of seconds from 0");
        }
        if (Preferences.Of(context.Request).Wait is not { } preferred)
            return null;
        context.Response.Headers["Preference-Applied"] = $"wait={preferred}";
        context.Response.Headers.Vary = "Prefer";
        return preferred;
    }
}
