using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Millrace.Api.Errors;
using Millrace.Api.Limits;
using Millrace.Hosting.Lifecycle;

namespace Millrace.Api.Grpc;

/// <summary>Around the framework's handling of a call: its messages count as bodies, and what the framework refuses gets a code.</summary>
internal sealed class GrpcCalls(RequestDelegate next, InFlight inFlight, Refusals refusals, Draining draining)
{
    public Task InvokeAsync(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>() is { Method: var method } ? CallAsync(context, method) : next(context);

    private async Task CallAsync(HttpContext context, IMethod method)
    {
        if (!GrpcAnswer.IsFor(context.Request))
            throw new RefusedException(ErrorCode.UnsupportedMediaType, "This is a method of gRPC: call it with a client of gRPC, at the port for that (8001 by default).");
        using var body = new CountedBody(context.Request.BodyReader, inFlight, refused => GrpcAnswer.Exception(refusals.Of(context, refused)));
        context.Features.Set<IRequestBodyPipeFeature>(body);
        using var stop = method is { Type: MethodType.DuplexStreaming, ServiceName: not GrpcEndpoints.Service } ? draining.Begun.Register(context.Abort) : default; // a stream that waits for its client would keep the process
        await next(context);
        GrpcAnswer.Label(context, refusals);
    }
}
