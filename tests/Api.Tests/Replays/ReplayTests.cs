using System.Text.Json.Nodes;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Replays;

/// <summary>What failed can be found in groups and run again.</summary>
public sealed class ReplayTests(ServerFixture fixture)
{
    private readonly HttpClient _client = fixture.Client;

    [Fact]
    [Conformance(69)]
    public async Task Given_a_failed_job_When_replayed_Then_202_with_a_new_job_and_the_source_is_untouched()
    {
        var source = await FailAsync("one");
        var before = (await _client.FetchAsync($"/v1/jobs/{source}")).Text;

        var made = (await _client.PostAsync($"/v1/jobs/{source}/replay", """{"priority": 1, "timeout": 5}""")).MustBe(202);

        var id = (string)made.Json["id"]!;
        Assert.Equal(($"/v1/jobs/{id}", source, 1, 5.0), (made.Header("Location"), (string?)made.Json["replay_of"], (int)made.Json["priority"]!, (double)made.Json["timeout"]!));
        Assert.NotEqual(source, id);
        Assert.Equal("failed", (string?)(await _client.EndAsync(id))["state"]);
        Assert.Equal(before, (await _client.FetchAsync($"/v1/jobs/{source}")).Text);
        var replays = (await _client.FetchAsync($"/v1/jobs?replay_of={source}")).MustBe(200).Json["data"]!.AsArray();
        Assert.Equal(id, (string?)Assert.Single(replays)!["id"]);
    }

    [Fact]
    [Conformance(69)]
    public async Task Given_a_running_unknown_or_ill_asked_job_When_replayed_Then_it_is_refused()
    {
        await using var server = await MillraceServer.StartAsync();
        var release = await server.BlockAsync();
        var running = (string)(await server.Client.FetchAsync("/v1/jobs?model=sleep&state=running")).Json["data"]![0]!["id"]!;
        (await server.Client.PostAsync($"/v1/jobs/{running}/replay", "")).MustBe(409, "job_not_finished");
        await release();
        (await _client.PostAsync("/v1/jobs/job_00000000000000000000000000/replay", "")).MustBe(404, "job_not_found");
        var failed = await FailAsync("two");
        var refused = (await _client.PostAsync($"/v1/jobs/{failed}/replay", """{"priority": 10, "model": "other"}""")).MustBe(400, "invalid_request");
        Assert.Equal(["/priority", "/model"], refused.Json["errors"]!.AsArray().Select(e => (string)e!["pointer"]!));
        (await _client.PostAsync($"/v1/jobs/{failed}/replay", "{")).MustBe(400, "invalid_json");
        (await _client.PostAsync($"/v1/jobs/{failed}/replay", """{"model_version": "77"}""")).MustBe(404, "model_not_found");
    }

    [Fact]
    [Conformance(71)]
    public async Task Given_one_key_When_a_replay_is_sent_twice_Then_there_is_one_job()
    {
        var source = await FailAsync("three");
        var first = (await _client.PostAsync($"/v1/jobs/{source}/replay", "{}", ("Idempotency-Key", "again-3"))).MustBe(202);
        var again = await _client.PostAsync($"/v1/jobs/{source}/replay", "{}", ("Idempotency-Key", "again-3"));
        Assert.Equal(((string?)first.Json["id"], "true"), ((string?)again.Json["id"], again.Header("Idempotency-Replayed")));
        (await _client.PostAsync($"/v1/jobs/{source}/replay", """{"priority": 2}""", ("Idempotency-Key", "again-3"))).MustBe(422, "idempotency_key_reused");
    }

    [Fact]
    public async Task Given_failures_of_two_kinds_When_listed_Then_they_are_grouped_with_count_and_example()
    {
        var first = await FailAsync("four");
        var second = await FailAsync("four");
        await EndAsync(await _client.SubmitAsync("pick", Bodies.In("INT64", 77), m => m["metadata"] = new { group = "four" }));

        var groups = (await _client.FetchAsync("/v1/failures?metadata.group=four")).MustBe(200).Json["data"]!.AsArray();

        Assert.Equal(["pick", "bad"], groups.Select(g => (string)g!["model"]!));
        Assert.Equal((2, second, "model_error"), ((int)groups[1]!["count"]!, (string?)groups[1]!["example"], (string?)groups[1]!["code"]));
        var print = (string)groups[1]!["fingerprint"]!;
        Assert.Equal(print, (string?)(await _client.ReadAsync(first))["fingerprint"]);
        Assert.Equal(2, (await _client.FetchAsync($"/v1/jobs?metadata.group=four&fingerprint={print}")).MustBe(200).Json["data"]!.AsArray().Count);
        var page = (await _client.FetchAsync("/v1/failures?metadata.group=four&limit=1")).MustBe(200);
        Assert.Equal("pick", (string?)Assert.Single(page.Json["data"]!.AsArray())!["model"]);
        var cursor = (string)page.Json["next_cursor"]!;
        var next = (await _client.FetchAsync($"/v1/failures?metadata.group=four&limit=1&cursor={cursor}")).MustBe(200);
        Assert.Equal(("bad", null), ((string?)Assert.Single(next.Json["data"]!.AsArray())!["model"], (string?)next.Json["next_cursor"]));
        (await _client.FetchAsync($"/v1/failures?metadata.group=five&limit=1&cursor={cursor}")).MustBe(400, "invalid_cursor");
        (await _client.FetchAsync($"/v1/jobs?state=failed&metadata.group=four&limit=1&cursor={cursor}")).MustBe(400, "invalid_cursor");
        (await _client.FetchAsync("/v1/failures?nonsense=1")).MustBe(400, "invalid_request");
    }

    [Fact]
    [Conformance(70)]
    public async Task Given_failed_jobs_When_replayed_in_bulk_Then_a_dry_run_counts_and_the_real_one_makes_each_once()
    {
        for (var at = 0; at < 12; at++)
            await FailAsync("six");
        var filter = new { metadata = new { group = "six" } };

        var plan = (await _client.PostAsync("/v1/replays", new { filter, dry_run = true })).MustBe(200).Json;

        Assert.Equal((12, 12, 0, 0, 12), ((int)plan["matched"]!, (int)plan["replayable"]!, (int)plan["skipped"]!["input_expired"]!, (int)plan["skipped"]!["not_finished"]!, plan["sample"]!.AsArray().Count));
        Assert.Equal(12, await CountAsync("six"));
        (await _client.PostAsync("/v1/replays", new { filter })).MustBe(400, "invalid_request");

        var started = (await _client.PostAsync("/v1/replays", new { filter, dry_run = false, plan = (string)plan["plan"]!, rate_per_second = 1000, overrides = new { priority = 9 } })).MustBe(202);
        var ended = await FinishedAsync(started);

        Assert.Equal((12, 12, 0, 0), ((int)ended["matched"]!, (int)ended["created"]!, (int)ended["skipped"]!, (int)ended["failed"]!));
        Assert.NotNull((string?)ended["finished_at"]);
        Assert.Equal(24, await CountAsync("six"));
    }

    [Fact]
    [Conformance(71)]
    public async Task Given_a_plan_of_before_When_the_set_has_changed_Then_409_and_nothing_is_made()
    {
        await FailAsync("seven");
        var filter = new { metadata = new { group = "seven" } };
        var plan = (string)(await _client.PostAsync("/v1/replays", new { filter, dry_run = true })).MustBe(200).Json["plan"]!;
        await FailAsync("seven");
        (await _client.PostAsync("/v1/replays", new { filter, dry_run = false, plan })).MustBe(409, "plan_changed");
        Assert.Equal(2, await CountAsync("seven"));
        var body = new { filter, dry_run = false };
        var first = (await _client.PostAsync("/v1/replays", body, ("Idempotency-Key", "bulk-7"))).MustBe(202);
        var again = (await _client.PostAsync("/v1/replays", body, ("Idempotency-Key", "bulk-7"))).MustBe(202);
        Assert.Equal(((string?)first.Json["id"], "true"), ((string?)again.Json["id"], again.Header("Idempotency-Replayed")));
        await FinishedAsync(first);
        Assert.Equal(4, await CountAsync("seven"));
    }

    [Fact]
    public async Task Given_a_slow_bulk_replay_When_canceled_Then_no_more_is_made()
    {
        for (var at = 0; at < 3; at++)
            await FailAsync("eight");
        var started = (await _client.PostAsync("/v1/replays", new { filter = new { metadata = new { group = "eight" } }, dry_run = false, rate_per_second = 0.01 })).MustBe(202);
        var self = started.Header("Location")!;
        await Waiting.UntilAsync(async () => (int)(await _client.FetchAsync(self)).Json["created"]! == 1, "the first is made");
        var canceled = (await _client.AskAsync(HttpMethod.Post, $"{self}/cancel")).MustBe(200).Json;
        Assert.Equal(("canceled", 1), ((string?)canceled["state"], (int)canceled["created"]!));
        (await _client.FetchAsync("/v1/replays/replay_00000000000000000000000000")).MustBe(404, "not_found");
        (await _client.FetchAsync("/v1/replays/nonsense")).MustBe(404, "not_found");
    }

    [Theory]
    [InlineData("""{"dry_run": true}""", "/filter")]
    [InlineData("""{"dry_run": true, "filter": {}}""", "/filter")]
    [InlineData("""{"dry_run": true, "filter": {"metadata": {}}}""", "/filter")]
    [InlineData("""{"dry_run": "yes", "filter": {"model": "bad"}}""", "/dry_run")]
    [InlineData("""{"dry_run": true, "filter": {"modle": "bad"}}""", "/filter/modle")]
    [InlineData("""{"dry_run": true, "filter": {"state": "broken"}}""", "/filter/state")]
    [InlineData("""{"dry_run": true, "filter": {"created_after": "yesterday"}}""", "/filter/created_after")]
    [InlineData("""{"dry_run": true, "filter": {"model": "bad"}, "max_jobs": 10001}""", "/max_jobs")]
    [InlineData("""{"dry_run": true, "filter": {"model": "bad"}, "rate_per_second": 0}""", "/rate_per_second")]
    [InlineData("""{"dry_run": true, "filter": {"model": "bad"}, "overrides": {"metadata": {}}}""", "/overrides/metadata")]
    [InlineData("""{"dry_run": true, "dry_run": true, "filter": {"model": "bad"}}""", "/dry_run")]
    public async Task Given_a_bad_order_When_sent_Then_400_points_to_the_fault(string body, string pointer) =>
        Assert.Contains(pointer, (await _client.PostAsync("/v1/replays", body)).MustBe(400, "invalid_request").Json["errors"]!.AsArray().Select(e => (string)e!["pointer"]!));

    [Fact]
    public async Task Given_the_media_type_that_curl_sends_by_itself_When_an_order_comes_Then_it_is_read_as_JSON() =>
        (await _client.AskAsync(HttpMethod.Post, "/v1/replays", new StringContent("""{"dry_run": true, "filter": {"model": "none"}}""", null, "application/x-www-form-urlencoded"))).MustBe(200);

    [Theory]
    [InlineData("/v1/replays", """{"\ud800": 1}""")]
    [InlineData("/v1/replays", """{"dry_run": true, "filter": {"model": "\ud800"}}""")]
    public async Task Given_text_that_is_no_Unicode_When_sent_Then_400(string path, string body) => (await _client.PostAsync(path, body)).MustBe(400, "invalid_json");

    private async Task<string> FailAsync(string group)
    {
        var id = await _client.SubmitAsync("bad", JobCalls.Fast, m => (m["metadata"], m["max_attempts"]) = (new { group }, 1));
        await EndAsync(id);
        return id;
    }

    private async Task EndAsync(string id) => Assert.Equal("failed", (string?)(await _client.EndAsync(id))["state"]);

    private async Task<int> CountAsync(string group) => (await _client.FetchAsync($"/v1/jobs?metadata.group={group}&limit=200")).MustBe(200).Json["data"]!.AsArray().Count;

    private async Task<JsonNode> FinishedAsync(Answer started)
    {
        JsonNode? replay = null;
        await Waiting.UntilAsync(async () => (string?)(replay = (await _client.FetchAsync(started.Header("Location")!)).MustBe(200).Json)["state"] == "finished", "the replay is finished");
        return replay!;
    }
}
