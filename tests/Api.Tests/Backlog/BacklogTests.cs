using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Backlog;

/// <summary>Jobs that would be served too late, or are too many: refused with a time to come back at, and without a row.</summary>
public sealed class BacklogTests
{
    private static readonly string[] Client = ["submit", "read"];

    [Fact]
    [Conformance(73)]
    public async Task Given_as_many_jobs_as_may_wait_When_another_comes_Then_503_without_a_row_and_a_repeat_still_gets_its_job()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Backlog:MaxJobs=5");
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp32/pause")).MustBe(200);
        var first = await server.Client.SubmitAsync("ident_fp32", JobCalls.Fast, null, ("Idempotency-Key", "mine"));
        for (var at = 1; at < 5; at++)
            await server.Client.SubmitAsync("ident_fp32", JobCalls.Fast);

        var refused = (await server.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast), ("Idempotency-Key", "new"))).MustBe(503, "queue_full");

        Assert.True(int.Parse(refused.Header("Retry-After")!, CultureInfo.InvariantCulture) >= 1);
        Assert.Equal((int)refused.Json["retry_after"]!, int.Parse(refused.Header("Retry-After")!, CultureInfo.InvariantCulture));
        Assert.Equal(5, (await server.Client.FetchAsync("/v1/jobs?model=ident_fp32")).Json["data"]!.AsArray().Count);
        Assert.Equal(first, await server.Client.SubmitAsync("ident_fp32", JobCalls.Fast, null, ("Idempotency-Key", "mine")));
        (await server.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp64", Bodies.In("FP64", 1)))).MustBe(202);
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp32/resume")).MustBe(200);
        await Waiting.UntilAsync(async () => (await server.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast), ("Idempotency-Key", "new"))).Status == 202, "there is room again");
    }

    [Fact]
    [Conformance(73)]
    [Attack(28)]
    public async Task Given_a_tenant_with_as_many_jobs_as_it_may_have_When_it_sends_more_or_replays_in_bulk_Then_429_and_other_tenants_are_accepted()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, [.. Keys.Unlimited, "Millrace:Backlog:MaxTenantJobs=4"]);
        using var admin = await server.Client.CloseAsync();
        using var operating = await admin.MakeKeyAsync("ops", "operate");
        using var a = await admin.MakeKeyAsync("a", Client);
        using var b = await admin.MakeKeyAsync("b", Client);
        for (var at = 0; at < 3; at++)
            await a.EndAsync(await a.SubmitAsync("ident_fp32", JobCalls.Fast));
        (await operating.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp32/pause")).MustBe(200);
        (await operating.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp64/pause")).MustBe(200);
        var old = (string)(await a.FetchAsync("/v1/jobs?state=succeeded")).Json["data"]![0]!["id"]!;
        for (var at = 0; at < 2; at++)
            await a.SubmitAsync("ident_fp32", JobCalls.Fast);

        (await a.PostAsync("/v1/replays", new { filter = new { model = "ident_fp32", state = new[] { "succeeded" } }, dry_run = false })).MustBe(429, "quota_exceeded"); // three more would be five
        for (var at = 0; at < 2; at++)
            await a.SubmitAsync("ident_fp64", Bodies.In("FP64", 1));
        var refused = (await a.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast))).MustBe(429, "quota_exceeded");
        Assert.NotNull(refused.Header("Retry-After"));
        (await a.AskAsync(HttpMethod.Post, $"/v1/jobs/{old}/replay")).MustBe(429, "quota_exceeded");

        await b.SubmitAsync("ident_fp32", JobCalls.Fast);
        Assert.Equal(1, (int)(await b.FetchAsync("/v1/queues/ident_fp32")).Json["queued"]!);
    }

    [Fact]
    public async Task Given_a_replay_under_a_key_When_it_is_repeated_while_the_queue_is_full_Then_it_is_the_same_job_and_a_new_one_is_refused()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Backlog:MaxJobs=1");
        var source = await server.Client.SubmitAsync("ident_fp32", JobCalls.Fast);
        await server.Client.EndAsync(source);
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp32/pause")).MustBe(200);
        Answer made = null!;
        await Waiting.UntilAsync(async () => (made = await ReplayAsync("mine")).Status == 202, "the queue is known to be empty");

        var again = (await ReplayAsync("mine")).MustBe(202);

        Assert.Equal(((string)made.Json["id"]!, "true"), ((string)again.Json["id"]!, again.Header("Idempotency-Replayed")));
        (await ReplayAsync("another")).MustBe(503, "queue_full");

        Task<Answer> ReplayAsync(string key) => server.Client.AskAsync(HttpMethod.Post, $"/v1/jobs/{source}/replay", null, ("Idempotency-Key", key));
    }

    [Fact]
    public async Task Given_a_backlog_that_drains_slowly_When_a_job_could_not_start_in_its_time_Then_503_and_at_Retry_After_it_is_accepted()
    {
        await using var server = await MillraceServer.StartAsync();
        var ids = await server.Client.SubmitManyAsync("sleep", Bodies.Sleep(150), [.. Enumerable.Repeat(5, 80)]); // twelve seconds for the one instance
        await Waiting.UntilAsync(async () => (double?)(await ModelAsync(server))["drain_per_second"] is not null, "its pace is known", 60);

        var refused = (await server.Client.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(1), m => m["expires_in"] = 1))).MustBe(503, "queue_full");

        var since = Stopwatch.GetTimestamp();
        var told = int.Parse(refused.Header("Retry-After")!, CultureInfo.InvariantCulture);
        var waiting = await server.Client.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(1))); // it would wait for hours
        Assert.True((int)waiting.MustBe(202).Json["queue_position"]! > 5);
        Assert.NotNull((string?)waiting.Json["estimated_start"]);
        await Waiting.UntilAsync(async () => (await server.Client.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(1), m => m["expires_in"] = 1))).Status == 202, "it is accepted", 120);
        var took = Stopwatch.GetElapsedTime(since).TotalSeconds;
        Assert.True(took >= told * 0.1 - 2 && took <= (told * 10) + 2, $"told {told} s, took {took} s"); // ten times wider than what is promised
        Assert.Equal("succeeded", (string?)(await server.Client.EndAsync(ids[^1]))["state"]);

        static async Task<JsonNode> ModelAsync(MillraceServer server) =>
            (await server.Client.FetchAsync("/v1/admission")).MustBe(200).Json["models"]!.AsArray().Single(m => (string?)m!["model"] == "sleep")!;
    }

    [Fact]
    public async Task Given_a_limit_on_the_wait_for_a_model_When_it_is_longer_Then_503_though_the_client_would_wait()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Backlog:Models:sleep=00:00:01");
        await server.Client.SubmitManyAsync("sleep", Bodies.Sleep(150), [.. Enumerable.Repeat(5, 60)]);
        await Waiting.UntilAsync(async () => (await server.Client.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(150)))) is { Status: 503 } refused
            && (string?)refused.Json["code"] == "queue_full", "it is refused when its pace is known", 60);
    }
}
