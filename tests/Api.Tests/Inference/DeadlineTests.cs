using System.Diagnostics;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>A passed deadline ends the wait, and what was not started never is.</summary>
public sealed class DeadlineTests
{
    [Fact]
    [Conformance(29)]
    public async Task Given_a_run_longer_than_its_timeout_When_the_deadline_passes_Then_504_at_once_and_the_run_is_stopped()
    {
        await using var server = await MillraceServer.StartAsync();
        (await server.Client.InferAsync("sleep", Bodies.Sleep(1))).MustBe(200);
        var watch = Stopwatch.StartNew();

        (await server.Client.InferAsync("sleep", Calls.Sleep(50_000, new { timeout = 500_000 }))).MustBe(504, "deadline_exceeded");

        Assert.InRange(watch.Elapsed.TotalSeconds, 0.4, 10);
        await Waiting.UntilAsync(() => server.Ledger().Count(l => l.What == "end") == 2, "the run is stopped", 20);
    }

    [Fact]
    [Conformance(29)]
    public async Task Given_a_timeout_of_a_millisecond_When_the_run_takes_long_Then_504_long_before_its_end()
    {
        await using var server = await MillraceServer.StartAsync();
        var watch = Stopwatch.StartNew();

        (await server.Client.InferAsync("sleep", Calls.Sleep(50_000, new { timeout = 1000 }))).MustBe(504, "deadline_exceeded");

        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 10);
    }

    [Fact]
    [Conformance(29)]
    public async Task Given_requests_that_wait_When_their_deadline_passes_Then_they_are_never_started()
    {
        await using var server = await MillraceServer.StartAsync();
        var blocker = await server.OccupyAsync("sleep", 3000);

        var hasty = Calls.Sleep(1, new { timeout = 200_000 });
        var overdue = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => server.Client.InferAsync("sleep", hasty)));

        Assert.All(overdue, a => a.MustBe(504, "deadline_exceeded"));
        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the deadlines.");
        (await blocker).MustBe(200);
        (await server.Client.InferAsync("sleep", Bodies.Sleep(1))).MustBe(200);
        Assert.Equal([1, 1], server.RunSizes("sleep"));
    }

    [Fact]
    [Conformance(29)]
    public async Task Given_a_default_timeout_When_a_request_names_a_longer_one_Then_the_default_is_the_most()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Sync:Timeout=00:00:00.300");

        (await server.Client.InferAsync("sleep", Calls.Sleep(50_000, new { timeout = 60_000_000 }))).MustBe(504, "deadline_exceeded");
        (await server.Client.InferAsync("sleep", Bodies.Sleep(50_000))).MustBe(504, "deadline_exceeded");
    }

    [Fact]
    [Conformance(29)]
    public async Task Given_a_batch_When_the_deadline_of_one_passes_in_the_run_Then_the_others_are_answered()
    {
        await using var server = await MillraceServer.StartAsync();
        using var active = new ActiveRequests(server);
        var blocker = await server.OccupyAsync("slow", 2000);
        var patient = server.Client.InferAsync("slow", Bodies.Sleep(12_000));
        var hasty = server.Client.InferAsync("slow", Calls.Sleep(12_001, new { timeout = 3_000_000 }));
        await active.ReachAsync(3);

        (await hasty).MustBe(504, "deadline_exceeded");
        Assert.False(patient.IsCompleted);
        (await patient).MustBe(200).MustGive<int>("OUT", 12_000);
        (await blocker).MustBe(200);
    }
}
