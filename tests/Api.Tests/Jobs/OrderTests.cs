using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>Which job starts when: by time, priority and age, also when not all fit the window.</summary>
public sealed class OrderTests(ServerFixture fixture)
{
    [Fact]
    [Conformance(59)]
    public async Task Given_a_job_for_later_When_its_time_comes_Then_it_starts_and_not_before()
    {
        var start = TimeProvider.System.GetUtcNow().AddSeconds(3);
        var id = await fixture.Client.SubmitAsync("ident_fp32", JobCalls.Fast, m => m["not_before"] = start.ToString("O"));
        var waiting = await fixture.Client.ReadAsync(id);
        Assert.Equal(("queued", 0), ((string?)waiting["state"], (int)waiting["attempt"]!));
        Assert.InRange(waiting.Time("not_before"), start.AddMilliseconds(-1), start.AddMilliseconds(1));

        var job = await fixture.Client.EndAsync(id);

        Assert.Equal("succeeded", (string?)job["state"]);
        Assert.InRange(job.Time("started_at"), start.AddMilliseconds(-1), start.AddSeconds(30));
    }

    [Fact]
    [Conformance(59)]
    public async Task Given_priorities_9_1_0_behind_a_blocked_worker_When_it_is_free_Then_they_run_as_1_0_9_and_equals_by_age()
    {
        await using var server = await MillraceServer.StartAsync();
        var release = await server.BlockAsync();
        var ids = await server.Client.SubmitManyAsync("sleep", Bodies.Sleep(1), 9, 1, 0, 9, 1, 0, 5);
        await release();
        foreach (var id in ids)
            await server.Client.EndAsync(id);
        Assert.Equal([ids[1], ids[4], ids[2], ids[5], ids[6], ids[0], ids[3]], server.Order(ids));
    }

    [Fact]
    [Conformance(59)]
    public async Task Given_a_window_smaller_than_the_queue_When_it_drains_Then_all_finish_and_priority_holds_outside_it()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Store:Window=10");
        var release = await server.BlockAsync();
        var inside = await server.Client.SubmitManyAsync("sleep", Bodies.Sleep(1), Enumerable.Repeat(5, 10).ToArray());
        var last = await server.Client.SubmitManyAsync("sleep", Bodies.Sleep(1), Enumerable.Repeat(9, 15).ToArray());
        var first = await server.Client.SubmitManyAsync("sleep", Bodies.Sleep(1), Enumerable.Repeat(1, 15).ToArray());
        var queue = (await server.Client.FetchAsync("/v1/queues/sleep")).MustBe(200).Json;
        Assert.Equal(44, (int)queue["queued"]! + (int)queue["running"]!);
        await release();

        foreach (var id in inside.Concat(first).Concat(last))
            Assert.Equal("succeeded", (string?)(await server.Client.EndAsync(id))["state"]);

        Assert.Equal(first.Concat(last), server.Order([.. first, .. last]));
        Assert.Equal(inside, server.Order(inside));
    }

    [Fact]
    [Conformance(59)]
    public async Task Given_a_window_of_one_When_hundreds_are_sent_at_once_Then_each_runs_exactly_once()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Store:Window=1");
        var ids = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => server.Client.SubmitAsync("ident_fp32", JobCalls.Fast)));
        foreach (var id in ids)
            Assert.Equal("succeeded", (string?)(await server.Client.EndAsync(id))["state"]);
        Assert.Equal(ids.Order(StringComparer.Ordinal), server.Order(ids).Order(StringComparer.Ordinal));
    }
}
