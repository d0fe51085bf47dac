using Grpc.Core;
using Millrace.Api.Grpc.Protos;
using Millrace.Tests.Support;
using static Millrace.Api.Tests.Grpc.Messages;

namespace Millrace.Api.Tests.Grpc;

/// <summary>Many inferences on one call.</summary>
public sealed class ModelStreamTests
{
    [Fact]
    public async Task Given_a_stream_of_good_and_bad_requests_When_sent_Then_each_gets_its_answer_in_their_order()
    {
        await using var server = await MillraceServer.StartAsync();
        using var client = new GrpcClient(server);
        using var stream = client.Service.ModelStreamInfer(client.Options);
        ModelInferRequest[] requests = [RawIn("ident_fp32", "FP32", 1f), RawIn("nope", "FP32", 2f), RawIn("ident_fp32", "INT32", 3), RawIn("ident_fp32", "FP32", 4f)];
        var answers = new List<ModelStreamInferResponse>();
        foreach (var request in requests)
        {
            request.Id = $"request {answers.Count}";
            await stream.RequestStream.WriteAsync(request, TestContext.Current.CancellationToken);
            Assert.True(await stream.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
            answers.Add(stream.ResponseStream.Current);
        }
        await stream.RequestStream.CompleteAsync();

        Assert.False(await stream.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        Assert.Equal(["request 0", "request 1", "request 2", "request 3"], answers.Select(a => a.InferResponse.Id));
        Assert.Equal([true, false, false, true], answers.Select(a => a.ErrorMessage.Length == 0));
        Assert.Equal(Bytes(4f), answers[3].InferResponse.RawOutputContents[0].ToByteArray());
        var scrape = await Scrape.OfAsync(server.Management);
        Assert.Equal(2, scrape.Sum("millrace_http_requests_total", ("lane", "sync"), ("model", "ident_fp32"), ("code", "200")));
        Assert.Equal(1, scrape.Sum("millrace_http_requests_total", ("lane", "sync"), ("model", "ident_fp32"), ("code", "400")));
    }

    [Fact]
    public async Task Given_a_quota_When_a_stream_passes_it_Then_each_of_its_requests_has_counted()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:RateLimit:Window=01:00:00");
        using var admin = await server.Client.CloseAsync();
        using var client = new GrpcClient(server, (string)(await admin.NewKeyAsync(new { name = "x", tenant = "a", roles = (string[])["submit"], requests = 3 }))["key"]!);
        using var stream = client.Service.ModelStreamInfer(client.Options);
        var failures = new List<string>();
        for (var at = 0; at < 5; at++)
        {
            await stream.RequestStream.WriteAsync(RawIn("ident_fp32", "FP32", 1f), TestContext.Current.CancellationToken);
            Assert.True(await stream.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
            failures.Add(stream.ResponseStream.Current.ErrorMessage);
        }
        Assert.Equal([true, true, true, false, false], failures.Select(f => f.Length == 0));
        Assert.Contains("More than 3 requests", failures[4], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_more_open_streams_than_requests_may_be_in_work_When_others_call_Then_they_are_served_and_a_stop_ends_the_streams()
    {
        var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Limits:MaxRequests=2");
        var clients = Enumerable.Range(0, 5).Select(_ => new GrpcClient(server)).ToArray(); // of one connection two streams are taken at once
        var streams = new List<AsyncDuplexStreamingCall<ModelInferRequest, ModelStreamInferResponse>>();
        foreach (var client in clients)
        {
            streams.Add(client.Service.ModelStreamInfer(client.Options));
            await streams[^1].RequestStream.WriteAsync(RawIn("ident_fp32", "FP32", 1f), TestContext.Current.CancellationToken);
            Assert.True(await streams[^1].ResponseStream.MoveNext(TestContext.Current.CancellationToken));
            Assert.Equal("", streams[^1].ResponseStream.Current.ErrorMessage);
        }
        await clients[0].Infer(RawIn("ident_fp32", "FP32", 1f));

        var reading = streams.ConvertAll(s => s.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        var stopping = server.StopAsync();

        foreach (var (stream, next) in streams.Zip(reading))
        {
            var failure = await Assert.ThrowsAsync<RpcException>(() => next);
            Assert.True(failure.StatusCode == StatusCode.Unavailable, failure.ToString());
            Assert.Equal("shutting_down", failure.Trailers.GetValue("millrace-code"));
            stream.Dispose();
        }
        await stopping;
        await server.DisposeAsync();
        foreach (var client in clients)
            client.Dispose();
    }
}
