using Millrace.Api.Tests.Inference;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Telemetry;

/// <summary>What the metrics say is what happened.</summary>
public sealed class MetricsTests
{
    [Fact]
    public async Task Given_requests_and_jobs_of_every_end_When_scraped_Then_the_books_balance()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels);
        var failing = Bodies.Job("bad", Bodies.In("FP32", 1));
        for (var at = 0; at < 3; at++)
            (await server.Client.InferAsync("ident_fp32", Bodies.In("FP32", 1))).MustBe(200);
        (await server.Client.InferAsync("ident_fp32", Bodies.In("FP64", 1))).MustBe(400);
        var done = await server.Client.SubmitAsync("ident_fp32", JobCalls.Fast);
        await server.Client.EndAsync(done);
        (await server.Client.PostAsync($"/v1/jobs/{done}/replay", new { })).MustBe(202);
        var failed = (string)(await server.Client.PostAsync("/v1/jobs", failing)).MustBe(202).Json["id"]!;
        await server.Client.EndAsync(failed);
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp64/pause")).MustBe(200);
        var canceled = await server.Client.SubmitAsync("ident_fp64", Bodies.In("FP64", 1));
        (await server.Client.AskAsync(HttpMethod.Post, $"/v1/jobs/{canceled}/cancel")).MustBe(200);
        var waiting = await server.Client.SubmitAsync("ident_fp64", Bodies.In("FP64", 1));

        Scrape scrape = null!;
        await Waiting.UntilAsync(async () =>
        {
            scrape = await Scrape.OfAsync(server.Management);
            return scrape.Sum("millrace_queue_jobs", ("model", "ident_fp64"), ("state", "queued")) == 1 && scrape.Sum("millrace_jobs_ended_total", ("model", "ident_fp32"), ("state", "succeeded")) == 2
                && scrape.Sum("millrace_queue_oldest_age_seconds", ("model", "ident_fp64")) > 0;
        }, "the queue is read and the replay has ended");

        Assert.Equal((3, 1), (scrape.Sum("millrace_http_requests_total", ("lane", "sync"), ("model", "ident_fp32"), ("code", "200")), scrape.Sum("millrace_http_requests_total", ("lane", "sync"), ("code", "400"))));
        Assert.Equal(4, scrape.Sum("millrace_http_request_duration_seconds_count", ("lane", "sync"), ("model", "ident_fp32")));
        Assert.Equal(5, scrape.Sum("millrace_jobs_accepted_total"));
        Assert.Equal((1, 1), (scrape.Sum("millrace_jobs_ended_total", ("state", "failed")), scrape.Sum("millrace_jobs_ended_total", ("model", "ident_fp64"), ("state", "canceled"))));
        Assert.Equal(scrape.Sum("millrace_jobs_accepted_total"), scrape.Sum("millrace_jobs_ended_total") + scrape.Sum("millrace_queue_jobs"));
        Assert.Equal(1, scrape.Sum("millrace_replays_total", ("model", "ident_fp32")));
        Assert.Equal(2, scrape.Sum("millrace_job_attempts_total", ("model", "ident_fp32"), ("outcome", "succeeded")));
        Assert.Equal(2, scrape.Sum("millrace_job_queue_wait_seconds_count", ("model", "ident_fp32")));
        Assert.Equal(5, scrape.Sum("millrace_batch_requests_sum", ("model", "ident_fp32")));
        Assert.Equal(5, scrape.Sum("millrace_model_run_duration_seconds_count", ("model", "ident_fp32"), ("model_version", "1")));
        Assert.True(scrape.Sum("millrace_model_run_failures_total", ("model", "bad")) >= 1);
        Assert.Equal(1, scrape.Sum("millrace_workers", ("model", "ident_fp32")));
        Assert.Equal(0, scrape.Sum("millrace_circuit_open"));
        Assert.Equal(1, scrape.Sum("millrace_build_info", ("process", "standalone")));
        Assert.True(scrape.Sum("millrace_pass_last_success_timestamp_seconds", ("pass", "Reconciler")) > 1_700_000_000);
        Assert.NotNull(waiting);
    }

    [Fact]
    public async Task Given_failed_jobs_When_replayed_in_bulk_Then_each_new_one_is_counted_as_accepted_and_as_a_replay()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels);
        for (var at = 0; at < 3; at++)
            await server.Client.EndAsync((string)(await server.Client.PostAsync("/v1/jobs", Bodies.Job("bad", Bodies.In("FP32", 1)))).MustBe(202).Json["id"]!);
        (await server.Client.PostAsync("/v1/replays", new { filter = new { model = "bad" }, dry_run = false })).MustBe(202);

        Scrape scrape = null!;
        await Waiting.UntilAsync(async () => (scrape = await Scrape.OfAsync(server.Management)).Sum("millrace_jobs_ended_total", ("model", "bad")) == 6, "the new ones have ended");
        Assert.Equal((6, 3), (scrape.Sum("millrace_jobs_accepted_total", ("model", "bad")), scrape.Sum("millrace_replays_total", ("model", "bad"))));
    }

    [Fact]
    public async Task Given_the_meters_of_other_libraries_When_scraped_Then_only_our_own_and_the_process_are_there()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels);
        (await server.Client.FetchAsync("/v2")).MustBe(200);
        var scrape = await Scrape.OfAsync(server.Management);
        Assert.All(scrape.Series, s => Assert.Matches("^(millrace|process|dotnet)_", s.Name));
    }

    [Fact]
    [Attack(38)]
    public async Task Given_the_two_ports_When_asked_for_what_the_other_has_Then_404_whatever_Host_says()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels);
        var inner = new Uri(server.ManagementUrl).Authority;
        foreach (var path in new[] { "/metrics", "/health/ready", "/health/live", "/health/startup" })
        {
            (await server.Client.FetchAsync(path)).MustBe(404, "not_found");
            Assert.NotEqual(200, (await server.Client.AskAsync(HttpMethod.Get, path, null, ("Host", inner))).Status);
            Assert.Equal(200, (await server.Management.FetchAsync(path)).Status);
        }
        foreach (var path in new[] { "/v2", "/v1/jobs", "/v2/models", "/docs", "/" })
            Assert.Equal(404, (await server.Management.FetchAsync(path)).Status);
    }

    [Fact]
    public async Task Given_a_server_When_its_health_is_asked_inside_Then_each_part_is_told()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels);
        await Waiting.UntilAsync(async () => (await server.Management.FetchAsync("/health/ready")).Status == 200, "it is ready");
        var ready = (await server.Management.FetchAsync("/health/ready")).Json;
        Assert.Equal("ok", (string?)ready["status"]);
        Assert.Equal(["broker", "consumers", "draining", "heartbeat", "models", "store"], ready["checks"]!.AsArray().Select(c => (string?)c!["name"]));
        Assert.Equal("ok", (string?)(await server.Management.FetchAsync("/health/live")).Json["status"]);
    }
}
