using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Queues;

/// <summary>Pause, resume, purge and redispatch.</summary>
public sealed class QueueOperationTests(ServerFixture fixture)
{
    [Fact]
    public async Task Given_a_paused_queue_When_jobs_come_Then_they_wait_until_it_is_resumed()
    {
        await using var server = await MillraceServer.StartAsync();
        var paused = (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp32/pause")).MustBe(200).Json;
        Assert.True((bool)paused["paused"]!);
        var waiting = await server.Client.SubmitAsync("ident_fp32", JobCalls.Fast);
        var other = await server.Client.SubmitAsync("ident_fp64", Bodies.In("FP64", 1));
        Assert.Equal("succeeded", (string?)(await server.Client.EndAsync(other))["state"]);
        Assert.Equal("queued", await server.Client.StateAsync(waiting));
        Assert.Equal((true, 1), (await server.Client.FetchAsync("/v1/queues/ident_fp32")).Json is var queue ? ((bool)queue["paused"]!, (int)queue["queued"]!) : default);

        Assert.False((bool)(await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp32/resume")).MustBe(200).Json["paused"]!);

        Assert.Equal("succeeded", (string?)(await server.Client.EndAsync(waiting))["state"]);
    }

    [Fact]
    public async Task Given_waiting_jobs_When_purged_Then_a_dry_run_counts_and_the_real_one_cancels_what_waits_only()
    {
        await using var server = await MillraceServer.StartAsync();
        var release = await server.BlockAsync();
        var running = await server.Client.FetchAsync("/v1/jobs?model=sleep&state=running");
        var ids = await server.Client.SubmitManyAsync("sleep", Bodies.Sleep(1), 5, 5, 5);
        var waiter = server.Client.FetchAsync($"/v1/jobs/{ids[0]}?wait=60");

        var counted = (await server.Client.PostAsync("/v1/queues/sleep/purge", """{"dry_run": true}""")).MustBe(200).Json;
        Assert.True((long)counted["matched"]! >= 3);
        Assert.Equal(0, (long)counted["canceled"]!);
        Assert.Equal("queued", await server.Client.StateAsync(ids[1]));

        var purged = (await server.Client.PostAsync("/v1/queues/sleep/purge", """{"dry_run": false}""")).MustBe(200).Json;

        Assert.Equal((long)counted["matched"]!, (long)purged["canceled"]!);
        Assert.Equal(("canceled", "canceled_by_operator"), (await waiter).Json is var job ? ((string?)job["state"], (string?)job["error"]!["code"]) : default);
        Assert.Equal("running", await server.Client.StateAsync((string)running.Json["data"]![0]!["id"]!));
        Assert.Equal(0, (int)(await server.Client.FetchAsync("/v1/queues/sleep")).Json["queued"]!);
        await release();
    }

    [Theory]
    [InlineData("", "invalid_json")]
    [InlineData("{}", "invalid_request")]
    [InlineData("""{"dry_run": 1}""", "invalid_request")]
    [InlineData("""{"dry_run": true, "model": "x"}""", "invalid_request")]
    public async Task Given_a_purge_that_does_not_say_whether_it_is_dry_When_sent_Then_400(string body, string code) =>
        (await fixture.Client.PostAsync("/v1/queues/ident_int8/purge", body)).MustBe(400, code);

    [Theory]
    [InlineData("pause")]
    [InlineData("resume")]
    [InlineData("redispatch")]
    [InlineData("purge")]
    public async Task Given_an_unknown_model_When_operated_Then_404(string what) =>
        (await fixture.Client.PostAsync($"/v1/queues/nosuch/{what}", """{"dry_run": true}""")).MustBe(404, "model_not_found");

    [Fact]
    public async Task Given_nothing_missing_When_redispatched_Then_nothing_is_published_and_no_letter_is_dead()
    {
        Assert.Equal(0, (int)(await fixture.Client.AskAsync(HttpMethod.Post, "/v1/queues/ident_int8/redispatch")).MustBe(200).Json["published"]!);
        Assert.Empty((await fixture.Client.FetchAsync("/v1/dead-letters")).MustBe(200).Json["data"]!.AsArray());
    }
}
