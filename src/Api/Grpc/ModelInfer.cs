using Microsoft.AspNetCore.Http;
using Millrace.Api.Errors;
using Millrace.Api.Grpc.Protos;
using Millrace.Api.Inference;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Api.Telemetry;
using Millrace.Hosting.Inference;
using Millrace.Hosting.Lifecycle;

namespace Millrace.Api.Grpc;

/// <summary>The sync lane, for a message of gRPC.</summary>
internal sealed class ModelInfer(ModelCatalog catalog, SyncLane lane, RateLimits rates, Draining draining, LimitsOptions limits, TimeProvider time)
{
    /// <summary>1. admit  2. read and validate  3. send through the sync lane  4. answer.</summary>
    /// <param name="deadline">Of the call, in UTC.</param>
    public async Task<ModelInferResponse> HandleAsync(HttpContext context, ModelInferRequest message, DateTime deadline, CancellationToken clientLeft)
    {
        using var work = Admission.Begin(draining);
        var (served, version) = catalog.Choose(context, message.ModelName, InferenceService.VersionOf(message.ModelVersion));
        context.Tag(served);
        await rates.CheckModelAsync(context, served.Model);
        var (request, settings) = InferMessageReader.Read(message, served, limits);
        var outcome = await lane.SendAsync(served.Model, version, Within(deadline, settings), request.Encode(), clientLeft);
        InferFailures.Check(outcome);
        return InferMessageWriter.Write(InferenceResponse.Decode(outcome.Response), isRaw: message.RawInputContents.Count > 0);
    }

    /// <summary>The sooner of both deadlines counts, so that the worker knows it too.</summary>
    private InferenceSettings Within(DateTime deadline, InferenceSettings settings)
    {
        if (deadline == DateTime.MaxValue)
            return settings;
        var left = deadline - time.GetUtcNow().UtcDateTime;
        if (left <= TimeSpan.Zero)
            throw new RefusedException(ErrorCode.DeadlineExceeded, "The call's deadline passed before it began.");
        return settings.Timeout <= left ? settings : settings with { Timeout = left };
    }
}
