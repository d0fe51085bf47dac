using Grpc.Core;
using Grpc.Core.Interceptors;
using Millrace.Api.Errors;

namespace Millrace.Api.Grpc;

/// <summary>What a method throws, as a status of gRPC.</summary>
internal sealed class RefusalInterceptor(Refusals refusals) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try { return await continuation(request, context); }
        catch (Exception error) when (error is not RpcException) { throw Refused(context, error); }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try { await continuation(request, responseStream, context); }
        catch (Exception error) when (error is not RpcException) { throw Refused(context, error); }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try { await continuation(requestStream, responseStream, context); }
        catch (Exception error) when (error is not RpcException) { throw Refused(context, error); }
    }

    private RpcException Refused(ServerCallContext context, Exception error) => context.CancellationToken.IsCancellationRequested
        ? new RpcException(Status.DefaultCancelled) // the client left, or the framework has answered that the deadline passed
        : GrpcAnswer.Exception(refusals.Of(context.GetHttpContext(), error));
}
