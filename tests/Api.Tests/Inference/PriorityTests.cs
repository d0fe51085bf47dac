using System.Collections.Concurrent;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Who goes first when requests wait for a model with one instance and no batching.</summary>
public sealed class PriorityTests
{
    [Theory]
    [Conformance(30)]
    [InlineData("Millrace:Sync:Outstanding=100")] // all are handed on: the worker's queue decides
    [InlineData("Millrace:Sync:Outstanding=1")] // all wait: the API's queue decides
    public async Task Given_twenty_default_requests_that_wait_When_one_of_priority_1_comes_Then_it_starts_next(string setting)
    {
        await using var server = await StartAsync(setting);
        using var active = new ActiveRequests(server);
        var order = new ConcurrentQueue<string>();
        var blocker = await server.OccupyAsync("sleep", 3000);
        var waiting = Enumerable.Range(0, 20).Select(_ => RunAsync(server, order, "default", null)).ToList();
        await active.ReachAsync(21);

        waiting.Add(RunAsync(server, order, "urgent", 1));
        await active.ReachAsync(22);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the arrivals.");
        await Task.WhenAll(waiting);
        Assert.Equal("urgent", order.First());
        (await blocker).MustBe(200);
    }

    [Theory]
    [Conformance(30)]
    [InlineData("Millrace:Sync:Outstanding=100")] // all are handed on: the worker's queue decides
    [InlineData("Millrace:Sync:Outstanding=1")] // all wait: the API's queue decides
    public async Task Given_requests_of_all_priorities_When_they_wait_Then_1_is_first_9_last_and_0_equals_absent(string setting)
    {
        await using var server = await StartAsync(setting);
        using var active = new ActiveRequests(server);
        var order = new ConcurrentQueue<string>();
        var blocker = await server.OccupyAsync("sleep", 3000);
        var waiting = new List<Task>();
        foreach (var priority in (int?[])[9, 6, 0, null, 4, 99, 1])
        {
            waiting.Add(RunAsync(server, order, priority switch { 0 or null => "default", > 9 => "9", var p => $"{p}" }, priority));
            await active.ReachAsync(1 + waiting.Count);
        }

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the arrivals.");
        await Task.WhenAll(waiting);

        Assert.Equal(["1", "4", "default", "default", "6", "9", "9"], order);
        (await blocker).MustBe(200);
    }

    /// <summary>One request in a message, so that the order of the answers is that of the runs.</summary>
    private static Task<MillraceServer> StartAsync(string setting) => MillraceServer.StartAsync(
        Repository.TestModels, setting, "Millrace:Sync:PackRequests=1", "Millrace:Sync:LongestWait=00:00:10");

    private static async Task RunAsync(MillraceServer server, ConcurrentQueue<string> order, string name, int? priority)
    {
        var body = priority is null ? Bodies.Sleep(100) : Calls.Sleep(100, new { priority });
        (await server.Client.InferAsync("sleep", body)).MustBe(200);
        order.Enqueue(name);
    }
}
