using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Requests and jobs on the same model: requests first, but jobs get their turn.</summary>
public sealed class LanesTests
{
    [Fact]
    public async Task Given_a_job_that_waits_When_requests_come_after_it_Then_they_go_before_it_but_not_all_of_them()
    {
        await using var server = await MillraceServer.StartAsync();
        using var active = new ActiveRequests(server);
        var blocker = await server.OccupyAsync("sleep", 4000);
        var job = (await server.Client.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(20)))).MustBe(202);
        await Waiting.UntilAsync(
            async () => (string?)(await server.Client.FetchAsync(job.Header("Location")!)).Json["state"] == "running", "the worker has the job");

        var requests = Enumerable.Range(0, 40).Select(_ => server.Client.InferAsync("sleep", Bodies.Sleep(20))).ToArray();
        await active.ReachAsync(41);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the arrivals.");
        Assert.All(await Task.WhenAll(requests), a => a.MustBe(200));
        (await blocker).MustBe(200);
        var lanes = server.Runs("sleep").Skip(1).Select(r => r.Single().Lane).ToArray();
        Assert.Equal("Sync", lanes[0]);
        Assert.InRange(Array.IndexOf(lanes, "Job"), 1, lanes.Length - 2);
    }

    [Fact]
    public async Task Given_jobs_that_wait_When_a_request_comes_Then_it_is_answered_before_they_are_done()
    {
        await using var server = await MillraceServer.StartAsync();
        var blocker = await server.OccupyAsync("sleep", 1000);
        for (var at = 0; at < 10; at++)
            (await server.Client.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(300)))).MustBe(202);

        (await server.Client.InferAsync("sleep", Bodies.Sleep(1))).MustBe(200);

        (await blocker).MustBe(200);
        Assert.True(server.Runs("sleep").Count(r => r[0].Lane == "Job") < 10, "The request waited for all jobs.");
    }

    /// <summary>Each model runs on threads of its own, among which the system shares the cores.</summary>
    [Fact]
    public async Task Given_a_model_with_a_long_queue_When_another_is_called_Then_it_does_not_wait_for_that_queue()
    {
        await using var server = await MillraceServer.StartAsync();
        using var active = new ActiveRequests(server);
        var flood = Enumerable.Range(0, 30).Select(_ => server.Client.InferAsync("sleep", Bodies.Sleep(200))).ToArray();
        await active.ReachAsync(30);

        (await server.Client.InferAsync("rows", Calls.Rows(1, 1, 2, 3, 4))).MustBe(200).MustGive("SUM", 10f);

        Assert.True(server.RunSizes("sleep").Length < 30, "The other model waited for the whole queue of this one.");
        Assert.All(await Task.WhenAll(flood), a => a.MustBe(200));
    }
}
