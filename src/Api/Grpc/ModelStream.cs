using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Errors;
using Millrace.Api.Grpc.Protos;
using Millrace.Api.Limits;
using Millrace.Api.Telemetry;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Telemetry;

namespace Millrace.Api.Grpc;

/// <summary>Inferences on one call, one after the other. A failure is an answer too, and the stream goes on. Between its messages it only waits; each of them counts as a request of its own.</summary>
/// <remarks>Source: Triton's ModelStreamInfer; one answer for each request, in their order.</remarks>
internal sealed class ModelStream(ModelInfer infer, RateLimits rates, InFlight inFlight, Refusals refusals, RequestMetrics metrics, Draining draining, TimeProvider time)
{
    /// <summary>How long the connection stays after the last word: .NET's client forgets a status that it has not read yet when the connection closes before it has ended its own side.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);

    public async Task HandleAsync(HttpContext context, IAsyncStreamReader<ModelInferRequest> messages, IServerStreamWriter<ModelStreamInferResponse> answers, DateTime deadline, CancellationToken clientLeft)
    {
        var work = draining.Begin();
        context.Response.OnCompleted(() => EndAsync(work));
        context.Features.Get<InFlight.Place>()?.Wait();
        var first = true; // it was counted with the call
        while (await NextAsync(messages, clientLeft))
        {
            await answers.WriteAsync(await AnswerAsync(context, messages.Current, deadline, first, clientLeft), clientLeft);
            first = false;
        }
    }

    private async Task EndAsync(Draining.Work work)
    {
        if (draining.Begun.IsCancellationRequested)
            await Task.Delay(Linger, time);
        work.Dispose();
    }

    /// <exception cref="RefusedException">503: the process stops, so nothing more is read.</exception>
    private async Task<bool> NextAsync(IAsyncStreamReader<ModelInferRequest> messages, CancellationToken clientLeft)
    {
        try { return await messages.MoveNext(clientLeft).WaitAsync(draining.Begun); } // canceled itself, it would end the call without a word
        catch (OperationCanceledException) when (draining.Begun.IsCancellationRequested && !clientLeft.IsCancellationRequested)
        {
            throw new RefusedException(new Refusal(ErrorCode.ShuttingDown, "This process is stopping; open the stream anew.") { RetryAfter = 1 });
        }
    }

    private async Task<ModelStreamInferResponse> AnswerAsync(HttpContext context, ModelInferRequest message, DateTime deadline, bool isCounted, CancellationToken clientLeft)
    {
        var before = context.Features.Get<RequestTags>();
        var tags = new RequestTags { UserId = before?.UserId, Tenant = before?.Tenant };
        context.Features.Set(tags);
        var began = time.GetTimestamp();
        var status = StatusCodes.Status200OK;
        try
        {
            using var place = inFlight.Enter();
            if (!isCounted)
                await rates.CheckAsync(context);
            return new ModelStreamInferResponse { InferResponse = await infer.HandleAsync(context, message, deadline, clientLeft) };
        }
        catch (Exception error) when (!clientLeft.IsCancellationRequested)
        {
            var refusal = refusals.Of(context, error);
            status = ErrorCodes.All[refusal.Code].Status;
            return new ModelStreamInferResponse { ErrorMessage = refusal.Detail, InferResponse = new ModelInferResponse { Id = message.Id } };
        }
        finally
        {
            metrics.Answered("sync", tags, clientLeft.IsCancellationRequested ? StatusCodes.Status499ClientClosedRequest : status, time.GetElapsedTime(began));
            context.Features.Set(before);
        }
    }
}
