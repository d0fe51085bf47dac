using System.Diagnostics;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>The API's half of the sync lane: what leaves at once, what waits, and what leaves together.</summary>
public sealed class CoalescingTests
{
    private const string Patient = "Millrace:Sync:LongestWait=00:00:10";

    [Fact]
    public async Task Given_an_idle_server_When_requests_come_one_after_the_other_Then_each_runs_at_once_and_alone()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, Patient, "Millrace:Sync:Outstanding=1");
        var watch = Stopwatch.StartNew();

        for (var at = 0; at < 5; at++)
        {
            var answer = (await server.Client.InferAsync("rows", Calls.Rows(1, at, at, at, at))).MustBe(200);
            Assert.Equal([4 * at], answer.Data<float>("SUM"));
            Assert.Equal([1], answer.Data<long>("ROWS"));
        }

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), "A request waited for company that did not come.");
        Assert.Equal([1, 1, 1, 1, 1], server.RunSizes("rows"));
    }

    [Fact]
    public async Task Given_a_message_that_is_out_When_requests_come_Then_they_leave_together_when_it_is_answered()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, Patient, "Millrace:Sync:Outstanding=1");
        using var active = new ActiveRequests(server);
        var blocker = await server.OccupyAsync("slow", 2000);

        var waiting = Enumerable.Range(1, 5).Select(i => server.Client.InferAsync("slow", Bodies.Sleep(i))).ToArray();
        await active.ReachAsync(6);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the arrivals.");
        foreach (var (answer, at) in (await Task.WhenAll(waiting)).Select((a, i) => (a, i)))
            Assert.Equal([at + 1], answer.MustBe(200).Data<int>("OUT"));
        (await blocker).MustBe(200);
        Assert.Equal(6, server.RunSizes("slow").Sum());
        Assert.InRange(server.RunSizes("slow").Length, 2, 3); // the first of the pack may start before its last is handed over
    }

    [Fact]
    public async Task Given_a_full_message_When_more_requests_wait_Then_they_leave_with_the_next_one()
    {
        await using var server = await MillraceServer.StartAsync(
            Repository.TestModels, Patient, "Millrace:Sync:Outstanding=1", "Millrace:Sync:PackRequests=2");
        using var active = new ActiveRequests(server);
        var blocker = await server.OccupyAsync("slow", 2000);

        var waiting = Enumerable.Range(1, 6).Select(i => server.Client.InferAsync("slow", Bodies.Sleep(i))).ToArray();
        await active.ReachAsync(7);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the arrivals.");
        Assert.All(await Task.WhenAll(waiting), a => a.MustBe(200));
        (await blocker).MustBe(200);
        Assert.Equal(7, server.RunSizes("slow").Sum());
        Assert.All(server.RunSizes("slow"), size => Assert.InRange(size, 1, 2));
    }

    [Fact]
    public async Task Given_all_messages_out_When_a_request_has_waited_longest_Then_it_leaves_all_the_same()
    {
        using var models = ModelFolder.With(("slow", """{"max_batch_size":8,"instances":2}"""));
        await using var server = await MillraceServer.StartAsync(models.Path, "Millrace:Sync:Outstanding=1");
        var blocker = await server.OccupyAsync("slow", 15_000);

        (await server.Client.InferAsync("slow", Bodies.Sleep(1))).MustBe(200).MustGive<int>("OUT", 1);

        Assert.False(blocker.IsCompleted, "The request waited for the message before it, in spite of a free instance.");
        (await blocker).MustBe(200);
    }

    [Fact]
    public async Task Given_as_many_requests_as_the_lane_takes_When_one_more_comes_Then_503_and_later_there_is_room_again()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Sync:MaxRequests=3");
        using var active = new ActiveRequests(server);
        var blocker = await server.OccupyAsync("sleep", 3000);
        var waiting = Enumerable.Range(0, 2).Select(_ => server.Client.InferAsync("sleep", Bodies.Sleep(1))).ToArray();
        await active.ReachAsync(3);

        var refused = new List<Answer>();
        await Waiting.UntilAsync(async () =>
        {
            refused.Add(await server.Client.InferAsync("sleep", Calls.Sleep(1, new { timeout = 100_000 })));
            return refused[^1].Status == 503;
        }, "the lane is full");

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the arrivals.");
        refused[^1].MustBe(503, "queue_full");
        Assert.Matches("^[1-9][0-9]*$", refused[^1].Header("Retry-After"));
        (await server.Client.InferAsync("ident_fp32", Bodies.In("FP32", 1))).MustBe(200); // another model has its own room
        Assert.All(await Task.WhenAll(waiting), a => a.MustBe(200));
        (await blocker).MustBe(200);
        await Waiting.UntilAsync(() => AllTakenAsync(server, 3), "there is room for three again");
    }

    [Fact]
    [Conformance(29)]
    public async Task Given_requests_that_gave_up_while_they_waited_When_the_lane_was_full_of_them_Then_there_is_room_again()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Sync:MaxRequests=4");
        var blocker = await server.OccupyAsync("sleep", 2000);
        var hasty = Calls.Sleep(1, new { timeout = 50_000 });
        var overdue = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => server.Client.InferAsync("sleep", hasty)));
        Assert.All(overdue, a => a.MustBe(504));
        (await blocker).MustBe(200);

        await Waiting.UntilAsync(() => AllTakenAsync(server, 4), "there is room for four again");
    }

    private static async Task<bool> AllTakenAsync(MillraceServer server, int count)
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, count).Select(_ => server.Client.InferAsync("sleep", Bodies.Sleep(1))));
        return answers.All(a => a.Status == 200);
    }
}
