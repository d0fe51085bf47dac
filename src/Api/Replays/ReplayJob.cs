using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Inference;
using Millrace.Api.Jobs;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Telemetry;
using Millrace.Storage.Jobs;
using Millrace.Storage.Replays;

namespace Millrace.Api.Replays;

/// <summary><c>POST /v1/jobs/{id}/replay</c>: a new job with the input of one that has ended. The source stays as it is.</summary>
internal static class ReplayJob
{
    public static async Task HandleAsync(
        HttpContext context, IJobStore jobs, IReplayStore replays, ModelCatalog catalog, JobSubmission submission, RateLimits rates, Draining draining, HttpOptions options, string id)
    {
        using var work = Admission.Begin(draining);
        Queries.AllowOnly(context.Request);
        using var body = await RequestBody.ReadAsync(context, options.MaxBodyBytes);
        var request = ReplayReader.ReadOne(body.Bytes);
        var source = JobIds.Parse(id);
        var key = Idempotency.Of(context.Request, body.Bytes.Span);
        var job = await jobs.ReadAsync(context.Tenant(), source, context.RequestAborted);
        if (job is null && key is null)
            throw JobIds.Unknown();
        if (job is not null)
        {
            Spans.LinkTo(job.TraceParent);
            await rates.CheckModelAsync(context, job.Model);
            var expiresIn = request.ExpiresIn is { } own ? TimeSpan.FromSeconds(own) : job.ExpiresAt - job.CreatedAt;
            if (await submission.AdmitAsync(context, job.Model, expiresIn, key) is { } known)
            {
                await submission.AnswerAsync(context, known);
                return;
            }
        }
        var (traceParent, traceState) = TraceContext.Of(context.Request);
        var outcome = await replays.ReplayAsync(context.Tenant(), source, new ReplaySettings
        {
            ModelVersion = job is null ? "" : Version(catalog, job, request), // deleted: only what its key made before can be answered
            OverrideVersion = request.ModelVersion is not null,
            Priority = request.Priority,
            Timeout = request.Timeout is { } timeout ? TimeSpan.FromSeconds(timeout) : null,
            ExpiresIn = request.ExpiresIn is { } expiry ? TimeSpan.FromSeconds(expiry) : null,
            TraceParent = traceParent,
            TraceState = traceState,
            Key = key,
            Audit = context.Audit(source.ToString()),
        }, context.RequestAborted);
        switch (outcome)
        {
            case ReplayOutcome.Made(var made): await submission.AnswerAsync(context, made); return;
            case ReplayOutcome.Unknown: throw JobIds.Unknown();
            case ReplayOutcome.NotFinal: throw new RefusedException(ErrorCode.JobNotFinished, $"Only a job that has ended can be replayed; it is {JobView.Name(job!.State)}.");
            case ReplayOutcome.InputExpired:
                throw new RefusedException(ErrorCode.InputExpired, $"The input was kept until {job!.ResultExpiresAt?.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ} (result_ttl); send the job again.");
            case var unknown: throw new UnreachableException($"No answer for {unknown}");
        }
    }

    /// <summary>A job that has not ended, or whose input is gone, is refused whatever its model has.</summary>
    private static string Version(ModelCatalog catalog, Job source, ReplayRequest request)
    {
        if (request.ModelVersion is { } named)
            return catalog.Ready(source.Tenant, source.Model, named).Version;
        return source.VersionNamed || !source.State.IsFinal() ? source.ModelVersion : catalog.Ready(source.Tenant, source.Model, null).Version;
    }
}
