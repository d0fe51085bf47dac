using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

/// <summary><c>POST /v1/jobs/{id}/cancel</c>: final at once; a run in progress is told to stop and its result is fenced off.</summary>
internal static class CancelJob
{
    public static async Task HandleAsync(HttpContext context, IJobStore store, IEventBus events, JobMetrics metrics, TimeProvider time, string id)
    {
        Queries.AllowOnly(context.Request);
        var outcome = await store.CancelAsync(context.Tenant(), JobIds.Parse(id), JobErrorCodes.CanceledByClient, context.RequestAborted) ?? throw JobIds.Unknown();
        if (outcome.Job.State != JobState.Canceled)
            throw new RefusedException(ErrorCode.JobNotCancelable, $"The job has ended: it is {JobView.Name(outcome.Job.State)}.");
        if (outcome.WasRunning)
            await events.PublishAsync(new StopRuns { Ids = [outcome.Job.Id.Value] }, CancellationToken.None);
        if (outcome.Changed)
        {
            metrics.Ended(outcome.Job.Model, JobState.Canceled);
            await events.PublishAsync(new JobsFinished { Model = outcome.Job.Model, JobIds = [outcome.Job.Id.Value] }, CancellationToken.None);
        }
        await JsonBody.WriteAsync(context, JobView.From(outcome.Job, time), ApiJson.Default.JobView);
    }
}
