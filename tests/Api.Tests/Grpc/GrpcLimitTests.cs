using Grpc.Core;
using Millrace.Api.Grpc.Protos;
using Millrace.Tests.Support;
using static Millrace.Api.Tests.Grpc.Messages;

namespace Millrace.Api.Tests.Grpc;

/// <summary>How large a message may be, how many at once, and how often.</summary>
public sealed class GrpcLimitTests(ServerFixture fixture)
{
    [Fact]
    [Conformance(43)]
    public async Task Given_a_message_of_32_MiB_When_sent_Then_it_is_answered_with_as_much()
    {
        using var client = new GrpcClient(fixture.Server);
        var data = new byte[32 << 20];
        Random.Shared.NextBytes(data.AsSpan(0, 1 << 20));

        var answer = await client.Infer(Request("ident_uint32", Input("IN", "UINT32", data.Length / 4)).Raw(data));

        Assert.True(data.AsSpan().SequenceEqual(answer.RawOutputContents[0].Span));
    }

    [Fact]
    [Conformance(43)]
    public async Task Given_a_message_above_the_limit_When_sent_plain_or_compressed_Then_resource_exhausted_and_the_connection_goes_on()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Http:MaxBodyBytes=65536");
        using var client = new GrpcClient(server);
        var compressed = client.Options.WithHeaders(new Metadata { { "grpc-internal-encoding-request", "gzip" } });

        await client.Infer(Bytes(60_000));
        await client.Infer(Bytes(70_000)).MustFailAsync(StatusCode.ResourceExhausted, "payload_too_large");
        await client.Service.ModelInferAsync(Bytes(60_000), compressed);
        await client.Service.ModelInferAsync(Bytes(10 << 20), compressed).MustFailAsync(StatusCode.ResourceExhausted, "payload_too_large");
        await client.Infer(Bytes(60_000));

        static ModelInferRequest Bytes(int count) => Request("ident_uint8", Input("IN", "UINT8", count)).Raw(new byte[count]);
    }

    [Fact]
    public async Task Given_a_message_that_is_no_protobuf_When_sent_Then_invalid_argument_and_not_unknown()
    {
        using var client = new GrpcClient(fixture.Server);
        var marshaller = Marshallers.Create<byte[]>(bytes => bytes, bytes => bytes);
        var method = new Method<byte[], byte[]>(MethodType.Unary, "inference.GRPCInferenceService", "ModelInfer", marshaller, marshaller);

        await client.Invoker.AsyncUnaryCall(method, null, client.Options, [0xFF, 0xFF, 0xFF]).MustFailAsync(StatusCode.InvalidArgument, "invalid_request");
    }

    [Fact]
    public async Task Given_a_method_that_is_not_there_When_called_Then_unimplemented()
    {
        using var client = new GrpcClient(fixture.Server);
        var marshaller = Marshallers.Create<byte[]>(bytes => bytes, bytes => bytes);
        foreach (var (service, name) in ((string, string)[])[("inference.GRPCInferenceService", "TraceSetting"), ("nope.Nope", "Nope")])
        {
            var method = new Method<byte[], byte[]>(MethodType.Unary, service, name, marshaller, marshaller);
            await client.Invoker.AsyncUnaryCall(method, null, client.Options, []).MustFailAsync(StatusCode.Unimplemented, "not_implemented");
        }
    }

    [Fact]
    public async Task Given_messages_that_take_more_memory_than_is_meant_for_them_When_sent_Then_unavailable_and_it_is_all_given_back()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Limits:MaxBodyMemory=1048576");
        using var client = new GrpcClient(server);

        var failure = await client.Infer(Request("ident_uint8", Input("IN", "UINT8", 3 << 20)).Raw(new byte[3 << 20])).MustFailAsync(StatusCode.Unavailable, "overloaded");

        Assert.Equal("1000", failure.Trailers.GetValue("grpc-retry-pushback-ms"));
        await Waiting.UntilAsync(async () => (long)(await server.Client.FetchAsync("/v1/admission")).MustBe(200).Json["body_bytes"]!["in_use"]! == 0, "it is given back");
        await client.Infer(RawIn("ident_fp32", "FP32", 1f));
        Assert.Equal(0, (long)(await server.Client.FetchAsync("/v1/admission")).MustBe(200).Json["body_bytes"]!["in_use"]!);
    }

    [Fact]
    public async Task Given_a_key_that_called_as_often_as_it_may_When_it_calls_again_Then_resource_exhausted_with_a_pushback()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:RateLimit:Window=01:00:00", "Millrace:RateLimit:Models:ident_fp64=1");
        using var admin = await server.Client.CloseAsync();
        using var client = new GrpcClient(server, (string)(await admin.NewKeyAsync(new { name = "x", tenant = "a", roles = (string[])["submit"], requests = 4 }))["key"]!);

        await client.Infer(RawIn("ident_fp64", "FP64", 1d));
        await client.Infer(RawIn("ident_fp64", "FP64", 1d)).MustFailAsync(StatusCode.ResourceExhausted, "rate_limited");
        await client.Infer(RawIn("ident_fp32", "FP32", 1f));
        using var last = client.Infer(RawIn("ident_fp32", "FP32", 1f));
        Assert.Contains("\"key\";r=0", (await last.ResponseHeadersAsync).GetValue("ratelimit"), StringComparison.Ordinal);
        var refused = await client.Infer(RawIn("ident_fp32", "FP32", 1f)).MustFailAsync(StatusCode.ResourceExhausted, "rate_limited");

        Assert.InRange(int.Parse(refused.Trailers.GetValue("grpc-retry-pushback-ms")!, System.Globalization.CultureInfo.InvariantCulture), 1000, 3_600_000);
        Assert.True((await client.Service.ServerLiveAsync(new ServerLiveRequest(), client.Options)).Live);
    }

    [Fact]
    public async Task Given_a_run_in_progress_When_told_to_stop_Then_it_ends_and_new_calls_are_refused_as_unavailable()
    {
        await using var server = await MillraceServer.StartAsync();
        using var client = new GrpcClient(server);
        var running = client.Infer(Sleep(3000));
        await Waiting.UntilAsync(() => server.Ledger().Any(l => l.What == "start"), "the run starts");

        var stopping = server.StopAsync();

        await Waiting.UntilAsync(async () => !(await client.Service.ServerReadyAsync(new ServerReadyRequest(), client.Options)).Ready, "ready turns red");
        Assert.True((await client.Service.ServerLiveAsync(new ServerLiveRequest(), client.Options)).Live);
        var failure = await client.Infer(Sleep(1)).MustFailAsync(StatusCode.Unavailable, "shutting_down");
        Assert.Equal("1000", failure.Trailers.GetValue("grpc-retry-pushback-ms"));
        Assert.Equal("sleep", (await running).ModelName);
        await stopping;
    }
}
