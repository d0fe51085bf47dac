using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>Attempts that fail, run out of time, or are never begun.</summary>
public sealed class RetryTests
{
    [Fact]
    [Conformance(58)]
    public async Task Given_two_faults_and_three_attempts_When_run_Then_the_third_succeeds()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Faults:Plan=in_run:flaky=throw@2");
        var id = await server.Client.SubmitAsync("flaky", JobCalls.Fast, m => m["max_attempts"] = 3);

        var job = await server.Client.EndAsync(id);

        Assert.Equal(("succeeded", 3), ((string?)job["state"], (int)job["attempt"]!));
        Assert.Null(job["error"]);
        Assert.Equal([1, 2, 3], server.Runs(id));
        Assert.Equal(["model_error", "model_error", null], job["attempts"]!.AsArray().Select(a => (string?)a!["error"]?["code"]));
        Assert.All(job["attempts"]!.AsArray(), a => Assert.NotNull((string?)a!["finished_at"]));
        Assert.Equal(3, job["timeline"]!.AsArray().Count(e => (string?)e!["event"] == "claimed"));
        (await server.Client.FetchAsync($"/v1/jobs/{id}/result")).MustBe(200);
    }

    [Fact]
    [Conformance(58)]
    public async Task Given_a_failure_mendable_or_not_When_run_Then_it_runs_as_often_as_allowed_or_once()
    {
        await using var server = await MillraceServer.StartAsync(); // its own: one that fails in a batch with others runs again by itself
        async Task<(string?, int, bool)> EndAsync(string id)
        {
            var job = await server.Client.EndAsync(id);
            return ((string?)job["state"], (int)job["attempt"]!, (bool)job["error"]!["retryable"]!);
        }

        var thrice = await server.Client.SubmitAsync("bad", JobCalls.Fast, m => m["max_attempts"] = 3);
        Assert.Equal(("failed", 3, true), await EndAsync(thrice));
        var once = await server.Client.SubmitAsync("bad", JobCalls.Fast, m => m["max_attempts"] = 1);
        Assert.Equal(("failed", 1, true), await EndAsync(once));
        var hopeless = await server.Client.SubmitAsync("pick", Bodies.In("INT64", 1000), m => m["max_attempts"] = 3);
        Assert.Equal(("failed", 1, false), await EndAsync(hopeless));

        Assert.Equal([1, 2, 3], server.Runs(thrice));
        Assert.Equal([1], server.Runs(once));
        Assert.Equal([1], server.Runs(hopeless));
    }

    [Fact]
    [Conformance(57)]
    public async Task Given_a_run_longer_than_its_timeout_When_both_attempts_are_over_Then_the_job_failed_by_time()
    {
        await using var server = await MillraceServer.StartAsync();
        var id = await server.Client.SubmitAsync("sleep", Bodies.Sleep(600_000), m => (m["timeout"], m["max_attempts"]) = (1, 2));

        var job = await server.Client.EndAsync(id);

        Assert.Equal(("failed", "execution_timeout", 2), ((string?)job["state"], (string?)job["error"]!["code"], (int)job["attempt"]!));
        Assert.Equal([1, 2], server.Runs(id));
        Assert.All(job["attempts"]!.AsArray(), a => Assert.InRange((a!.Time("finished_at") - a!.Time("started_at")).TotalSeconds, 0.9, 20));
        Assert.Equal("succeeded", (string?)(await server.Client.EndAsync(await server.Client.SubmitAsync("sleep", Bodies.Sleep(1))))["state"]);
    }

    [Fact]
    [Conformance(57)]
    public async Task Given_a_short_job_behind_a_long_one_When_it_has_waited_longer_than_its_timeout_Then_it_still_runs()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Worker:Lease=00:00:02");
        var blocker = await server.Client.SubmitAsync("sleep", Bodies.Sleep(600_000), m => m["timeout"] = 5);
        await Waiting.UntilAsync(() => server.Runs(blocker).Any(), "the long job runs");
        var id = await server.Client.SubmitAsync("sleep", Bodies.Sleep(1), m => (m["timeout"], m["max_attempts"], m["priority"]) = (2, 1, 1));

        var job = await server.Client.EndAsync(id);

        Assert.Equal(("succeeded", 1), ((string?)job["state"], (int)job["attempt"]!)); // its own run takes a millisecond
        (await server.Client.CancelAsync(blocker)).MustBe(200);
    }

    [Fact]
    [Conformance(56)]
    public async Task Given_a_blocked_queue_When_a_job_expires_in_it_Then_it_never_ran()
    {
        await using var server = await MillraceServer.StartAsync();
        var release = await server.BlockAsync();
        var id = await server.Client.SubmitAsync("sleep", Bodies.Sleep(1), m => m["expires_in"] = 1);

        var job = await server.Client.EndAsync(id);

        Assert.Equal(("expired", 0, "expired_in_queue"), ((string?)job["state"], (int)job["attempt"]!, (string?)job["error"]!["code"]));
        Assert.Null(job["started_at"]);
        Assert.Equal(["accepted", "dispatched", "finished"], job["timeline"]!.AsArray().Select(e => (string?)e!["event"]));
        (await server.Client.FetchAsync($"/v1/jobs/{id}/result")).MustBe(409, "no_result");
        (await server.Client.CancelAsync(id)).MustBe(409, "job_not_cancelable");
        await release();
        await server.Client.EndAsync(await server.Client.SubmitAsync("sleep", Bodies.Sleep(1)));
        Assert.Empty(server.Runs(id));
        Assert.Equal("expired", await server.Client.StateAsync(id));
    }

    [Fact]
    [Conformance(58)]
    public async Task Given_a_long_run_under_a_short_lease_When_it_ends_Then_it_was_renewed_and_ran_once()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Worker:Lease=00:00:01");
        var id = await server.Client.SubmitAsync("sleep", Bodies.Sleep(600_000), m => (m["timeout"], m["max_attempts"]) = (4, 1));
        var job = await server.Client.EndAsync(id);
        Assert.Equal("execution_timeout", (string?)job["error"]!["code"]); // not worker_lost
        Assert.Equal([1], server.Runs(id));
    }
}
