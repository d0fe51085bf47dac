using System.Text;
using System.Text.Json;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>What nobody waits for any more is not run, or not to its end.</summary>
public sealed class DisconnectTests
{
    [Fact]
    [Conformance(36)]
    public async Task Given_requests_that_wait_When_their_clients_leave_Then_they_are_never_started()
    {
        await using var server = await MillraceServer.StartAsync();
        using var active = new ActiveRequests(server);
        using var leave = new CancellationTokenSource();
        var blocker = await server.OccupyAsync("sleep", 3000);
        var left = Enumerable.Range(0, 6).Select(_ => SendAsync(server, 1, leave.Token)).ToArray();
        await active.ReachAsync(7);

        await leave.CancelAsync();
        foreach (var request in left)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        await active.FallAsync(1);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the clients.");
        (await blocker).MustBe(200);
        (await server.Client.InferAsync("sleep", Bodies.Sleep(1))).MustBe(200);
        Assert.Equal([1, 1], server.RunSizes("sleep"));
    }

    [Fact]
    [Conformance(36)]
    public async Task Given_a_run_for_one_client_When_it_leaves_Then_the_run_is_told_to_stop()
    {
        await using var server = await MillraceServer.StartAsync();
        using var leave = new CancellationTokenSource();
        var running = SendAsync(server, 55_000, leave.Token);
        await Waiting.UntilAsync(() => server.Runs("sleep").Length == 1, "the run starts");

        await leave.CancelAsync();

        await Waiting.UntilAsync(() => server.Ledger().Any(l => l.What == "end"), "the run stops", 20);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        (await server.Client.InferAsync("sleep", Bodies.Sleep(1))).MustBe(200);
    }

    [Fact]
    [Conformance(36)]
    public async Task Given_a_batch_of_two_When_one_client_leaves_Then_the_other_gets_its_answer()
    {
        await using var server = await MillraceServer.StartAsync();
        using var active = new ActiveRequests(server);
        using var leave = new CancellationTokenSource();
        var blocker = await server.OccupyAsync("slow", 2000);
        var stays = server.Client.InferAsync("slow", Bodies.Sleep(3000));
        var leaves = SendAsync(server, "slow", 3001, leave.Token);
        await active.ReachAsync(3);
        await Waiting.UntilAsync(() => server.Runs("slow").Length == 2, "the batch starts");
        Assert.Equal(2, server.Runs("slow")[1].Count);

        await leave.CancelAsync();

        (await stays).MustBe(200).MustGive<int>("OUT", 3000);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaves);
        (await blocker).MustBe(200);
    }

    private static Task SendAsync(MillraceServer server, int milliseconds, CancellationToken leave) =>
        SendAsync(server, "sleep", milliseconds, leave);

    private static async Task SendAsync(MillraceServer server, string model, int milliseconds, CancellationToken leave)
    {
        using var body = new StringContent(JsonSerializer.Serialize(Bodies.Sleep(milliseconds)), Encoding.UTF8, "application/json");
        using var answer = await server.Client.PostAsync(new Uri($"/v2/models/{model}/infer", UriKind.Relative), body, leave);
        Assert.Fail($"The client should have left before the answer {answer.StatusCode}.");
    }
}
