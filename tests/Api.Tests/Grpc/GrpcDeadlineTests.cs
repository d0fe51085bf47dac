using Grpc.Core;
using Millrace.Api.Grpc.Protos;
using Millrace.Api.Tests.Inference;
using Millrace.Tests.Support;
using static Millrace.Api.Tests.Grpc.Messages;

namespace Millrace.Api.Tests.Grpc;

/// <summary>A deadline of the call, one of the request, and a client that leaves: what nobody waits for is not started.</summary>
public sealed class GrpcDeadlineTests
{
    [Fact]
    [Conformance(41)]
    public async Task Given_calls_that_wait_When_their_deadline_passes_Then_deadline_exceeded_and_they_are_never_started()
    {
        await using var server = await MillraceServer.StartAsync();
        using var client = new GrpcClient(server);
        var blocker = await server.OccupyAsync("sleep", 3000);

        var hasty = Enumerable.Range(0, 6).Select(_ => client.InferWithin(TimeSpan.FromMilliseconds(300), Sleep(1))).ToArray();
        foreach (var call in hasty)
            Assert.Equal(StatusCode.DeadlineExceeded, (await Assert.ThrowsAsync<RpcException>(async () => await call)).StatusCode);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the deadlines.");
        (await blocker).MustBe(200);
        await client.Infer(Sleep(1));
        Assert.Equal([1, 1], server.RunSizes("sleep"));
    }

    [Fact]
    [Conformance(41)]
    public async Task Given_a_run_longer_than_the_calls_deadline_When_it_passes_Then_the_run_is_stopped()
    {
        await using var server = await MillraceServer.StartAsync();
        using var client = new GrpcClient(server);
        await client.Infer(Sleep(1));

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await client.InferWithin(TimeSpan.FromMilliseconds(700), Sleep(50_000)));

        Assert.Equal(StatusCode.DeadlineExceeded, failure.StatusCode);
        await Waiting.UntilAsync(() => server.Ledger().Count(l => l.What == "end") == 2, "the run is stopped", 20);
    }

    [Theory]
    [Conformance(41)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Given_a_timeout_parameter_that_is_sooner_than_the_deadline_When_it_passes_Then_the_server_says_so(bool isSigned)
    {
        await using var server = await MillraceServer.StartAsync();
        using var client = new GrpcClient(server);
        var request = Sleep(50_000);
        request.Parameters.Add("timeout", isSigned ? new InferParameter { Int64Param = 500_000 } : new InferParameter { Uint64Param = 500_000 });

        await client.InferWithin(TimeSpan.FromSeconds(60), request).MustFailAsync(StatusCode.DeadlineExceeded, "deadline_exceeded");
    }

    [Fact]
    public async Task Given_calls_that_wait_When_their_client_leaves_Then_they_are_never_started()
    {
        await using var server = await MillraceServer.StartAsync();
        using var client = new GrpcClient(server);
        using var active = new ActiveRequests(server);
        using var leave = new CancellationTokenSource();
        var blocker = await server.OccupyAsync("sleep", 3000);
        var left = Enumerable.Range(0, 6).Select(_ => client.InferUntil(Sleep(1), leave.Token)).ToArray();
        await active.ReachAsync(7);

        await leave.CancelAsync();
        foreach (var call in left)
            Assert.Equal(StatusCode.Cancelled, (await Assert.ThrowsAsync<RpcException>(async () => await call)).StatusCode);
        await active.FallAsync(1);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the clients.");
        (await blocker).MustBe(200);
        await client.Infer(Sleep(1));
        Assert.Equal([1, 1], server.RunSizes("sleep"));
    }

    [Theory]
    [Conformance(43)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Given_calls_that_wait_When_one_of_priority_1_comes_Then_it_starts_next_in_either_kind_of_number(bool isSigned)
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Sync:Outstanding=1", "Millrace:Sync:PackRequests=1", "Millrace:Sync:LongestWait=00:00:10");
        using var client = new GrpcClient(server);
        using var active = new ActiveRequests(server);
        var order = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var blocker = await server.OccupyAsync("sleep", 3000);
        var waiting = Enumerable.Range(0, 5).Select(_ => RunAsync("default", Sleep(100))).ToList();
        await active.ReachAsync(6);
        var urgent = Sleep(100);
        urgent.Parameters.Add("priority", isSigned ? new InferParameter { Int64Param = 1 } : new InferParameter { Uint64Param = 1 });

        waiting.Add(RunAsync("urgent", urgent));
        await active.ReachAsync(7);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the arrivals.");
        await Task.WhenAll(waiting);
        Assert.Equal("urgent", order.First());
        (await blocker).MustBe(200);

        async Task RunAsync(string name, ModelInferRequest request)
        {
            await client.Infer(request);
            order.Enqueue(name);
        }
    }
}
