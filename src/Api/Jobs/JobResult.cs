using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Inference;
using Millrace.Api.Telemetry;
using Millrace.Hosting.Inference;
using Millrace.Hosting.Telemetry;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

/// <summary><c>GET /v1/jobs/{id}/result</c>: the inference response, as the sync lane would have answered it, or in the form that <c>Accept</c> asks for.</summary>
internal static class JobResult
{
    public static async Task HandleAsync(HttpContext context, IJobStore store, string id)
    {
        Queries.AllowOnly(context.Request);
        var jobId = JobIds.Parse(id);
        var job = await store.ReadAsync(context.Tenant(), jobId, context.RequestAborted) ?? throw JobIds.Unknown();
        context.Tag(job);
        Spans.LinkTo(job.TraceParent);
        if (!job.State.IsFinal())
            throw new RefusedException(new Refusal(ErrorCode.JobNotFinished, $"The job is {JobView.Name(job.State)}; ask again, or wait with GET {JobUrls.Of(jobId).Self}?wait=60.") { RetryAfter = 1 });
        if (job.State != JobState.Succeeded)
            throw new RefusedException(ErrorCode.NoResult, $"The job is {JobView.Name(job.State)}: {job.Error?.Message}");
        var form = ResultForms.Of(context.Request) ?? throw new RefusedException(ErrorCode.NotAcceptable, "The result can be had as application/json and as application/octet-stream (tensors in binary).");
        var result = await store.ReadResultAsync(context.Tenant(), jobId, context.RequestAborted)
            ?? throw new RefusedException(ErrorCode.ResultExpired, $"The result was kept until {job.ResultExpiresAt?.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}.");
        context.Response.Headers.Vary = "Accept";
        try { await InferenceAnswer.WriteAsync(context, form.Apply(InferenceResponse.Decode(result)), mayCode: false); }
        catch (NotJsonException error) { throw new RefusedException(ErrorCode.NotAcceptable, $"{error.Message}; ask for the result with Accept: application/octet-stream."); }
    }
}
