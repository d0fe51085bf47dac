using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Jobs;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Api.Telemetry;
using Millrace.Hosting.Inference;
using Millrace.Hosting.Lifecycle;
using Millrace.Messages;
using Millrace.Storage.Access;

namespace Millrace.Api.Inference;

internal static class InferEndpoints
{
    public static void MapInference(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v2/models").WithTags("Inference");
        Describe(group.MapPost("/{model}/infer", HandleAsync)).WithName("Infer").WithSummary("Run a model and answer on this connection");
        Describe(group.MapPost("/{model}/versions/{version}/infer", HandleAsync)).WithName("InferVersion").WithSummary("The same on a named version");
    }

    private static RouteHandlerBuilder Describe(RouteHandlerBuilder route) => route.Needs(Roles.Submit)
        .Accepts<InferenceRequestSchema>("application/json", "application/octet-stream", "*/*").Produces<InferenceResponseSchema>(200, "application/json", "application/octet-stream").Produces<JobView>(202)
        .Produces<ProtocolError>(400).Produces<ProtocolError>(404).Produces<ProtocolError>(413).Produces<ProtocolError>(503).Produces<ProtocolError>(504);

    /// <summary>1. admit  2. read and validate  3. answer 202 if asked to  4. send through the sync lane  5. answer.</summary>
    private static async Task HandleAsync(
        HttpContext context, ModelCatalog catalog, SyncLane lane, JobSubmission jobs, RateLimits rates, Draining draining, HttpOptions options, LimitsOptions limits, string model)
    {
        using var work = Admission.Begin(draining);
        var (served, version) = catalog.Choose(context, model, ModelEndpoints.VersionOf(context));
        context.Tag(served);
        await rates.CheckModelAsync(context, served.Model);
        using var body = await RequestBody.ReadAsync(context, options.MaxBodyBytes);
        var (request, settings) = InferenceReader.Read(InferenceBody.Of(context.Request, body.Bytes), served, limits, strict: false);
        if (Preferences.Of(context.Request).RespondAsync)
        {
            await jobs.SubmitInferenceAsync(context, served, request, settings, body.Bytes);
            return;
        }
        var outcome = await lane.SendAsync(model, version, settings, request.Encode(), context.RequestAborted);
        await AnswerAsync(context, outcome);
    }

    private static async Task AnswerAsync(HttpContext context, InferOutcome outcome)
    {
        InferFailures.Check(outcome);
        try { await InferenceAnswer.WriteAsync(context, InferenceResponse.Decode(outcome.Response), mayCode: true); }
        catch (NotJsonException error) { throw new RefusedException(ErrorCode.InvalidTensor, $"{error.Message}; ask for it in binary, by parameters.binary_data of the output."); }
    }
}
