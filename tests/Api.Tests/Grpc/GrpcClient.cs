using System.Runtime.InteropServices;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Millrace.Api.Grpc.Protos;
using Millrace.Tests.Support;
using static Millrace.Api.Grpc.Protos.GRPCInferenceService;
using static Millrace.Api.Grpc.Protos.ModelInferRequest.Types;

namespace Millrace.Api.Tests.Grpc;

/// <summary>A client made from the same .proto, with a connection of its own.</summary>
internal sealed class GrpcClient : IDisposable
{
    private readonly GrpcChannel _channel;

    /// <param name="key">Shown with each call; null for none.</param>
    public GrpcClient(MillraceServer server, string? key = null)
    {
        _channel = GrpcChannel.ForAddress(server.GrpcUrl, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { UseProxy = false, EnableMultipleHttp2Connections = true },
            MaxReceiveMessageSize = null,
            MaxSendMessageSize = null,
        });
        Invoker = _channel.CreateCallInvoker();
        Service = new GRPCInferenceServiceClient(Invoker);
        Options = new CallOptions(key is null ? [] : new Metadata { { "authorization", $"Bearer {key}" } }, cancellationToken: TestContext.Current.CancellationToken);
    }

    public CallInvoker Invoker { get; }
    public GRPCInferenceServiceClient Service { get; }

    /// <summary>Its key, and the end of the test.</summary>
    public CallOptions Options { get; }

    public AsyncUnaryCall<ModelInferResponse> Infer(ModelInferRequest request) => Service.ModelInferAsync(request, Options);

    public AsyncUnaryCall<ModelInferResponse> InferWithin(TimeSpan deadline, ModelInferRequest request) =>
        Service.ModelInferAsync(request, Options.WithDeadline(TimeProvider.System.GetUtcNow().UtcDateTime + deadline));

    public AsyncUnaryCall<ModelInferResponse> InferUntil(ModelInferRequest request, CancellationToken leave) => Service.ModelInferAsync(request, Options.WithCancellationToken(leave));

    public void Dispose() => _channel.Dispose();
}

internal static class Messages
{
    public static ModelInferRequest Request(string model, params InferInputTensor[] inputs) => new() { ModelName = model, Inputs = { inputs } };

    public static InferInputTensor Input(string name, string datatype, params long[] shape) => new() { Name = name, Datatype = datatype, Shape = { shape } };

    public static InferInputTensor With(this InferInputTensor input, Action<InferTensorContents> fill)
    {
        fill(input.Contents ??= new InferTensorContents());
        return input;
    }

    public static ModelInferRequest Raw(this ModelInferRequest request, params byte[][] tensors)
    {
        request.RawInputContents.AddRange(tensors.Select(t => ByteString.CopyFrom(t)));
        return request;
    }

    /// <summary>For models with one input IN.</summary>
    public static ModelInferRequest RawIn<T>(string model, string datatype, params T[] data) where T : unmanaged =>
        Request(model, Input("IN", datatype, data.Length)).Raw(Bytes(data));

    public static ModelInferRequest Sleep(int milliseconds) => Request("sleep", Input("IN", "INT32", 1).With(c => c.IntContents.Add(milliseconds)));

    public static byte[] Bytes<T>(params T[] data) where T : unmanaged => MemoryMarshal.AsBytes<T>(data).ToArray();

    /// <summary>Asserts the status, and the listed code beside it.</summary>
    public static async Task<RpcException> MustFailAsync<T>(this AsyncUnaryCall<T> call, StatusCode status, string? code)
    {
        var failure = await Assert.ThrowsAsync<RpcException>(async () => await call);
        Assert.True(status == failure.StatusCode, $"Expected {status}: {failure}");
        Assert.Equal(code, failure.Trailers.GetValue("millrace-code"));
        Assert.NotEmpty(failure.Status.Detail);
        return failure;
    }
}
