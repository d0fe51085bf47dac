using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>The job object: all its members, always, and a tag that changes with them.</summary>
public sealed class ReadJobTests(ServerFixture fixture)
{
    private static readonly string[] Members =
    [
        "id", "object", "state", "model", "model_version", "priority", "attempt", "max_attempts", "created_at", "not_before", "started_at",
        "finished_at",
        "expires_at", "result_expires_at", "timeout", "progress", "error", "metadata", "replay_of", "trace_id", "metrics", "webhook_status",
        "queue_position", "estimated_start", "fingerprint", "attempts", "timeline", "urls",
    ];

    private static void MustHaveAllMembers(JsonNode job)
    {
        Assert.Equal(Members.Order(), job.AsObject().Select(p => p.Key).Order());
        Assert.Equal(["queue_ms", "run_ms", "total_ms"], job["metrics"]!.AsObject().Select(p => p.Key));
        Assert.Equal(["self", "result", "events", "cancel"], job["urls"]!.AsObject().Select(p => p.Key));
        foreach (var (_, time) in job.AsObject().Where(p => p.Key is "not_before" or "estimated_start"
            || p.Key.EndsWith("_at", StringComparison.Ordinal)))
            Assert.Matches(@"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)?$", (string?)time ?? "");
    }

    [Fact]
    [Conformance(49)]
    public async Task Given_an_ended_job_When_read_Then_every_member_tells_of_it()
    {
        var id = await fixture.Client.SubmitAsync("ident_fp32", JobCalls.Fast, m => m["metadata"] = new { k = "v" });
        await fixture.Client.EndAsync(id);

        var answer = (await fixture.Client.FetchAsync($"/v1/jobs/{id}")).MustBe(200);
        var job = answer.Json;

        MustHaveAllMembers(job);
        Assert.Equal("application/json", answer.Message.Content.Headers.ContentType?.MediaType);
        Assert.Equal((id, "job", "succeeded", 1, 3, 60.0), ((string?)job["id"], (string?)job["object"], (string?)job["state"],
            (int)job["attempt"]!, (int)job["max_attempts"]!, (double)job["timeout"]!));
        Assert.Equal("v", (string?)job["metadata"]!["k"]);
        foreach (var member in new[] { "not_before", "error", "replay_of", "webhook_status", "queue_position", "estimated_start", "fingerprint" })
            Assert.Null(job[member]);
        Assert.True(job.Time("created_at") <= job.Time("started_at") && job.Time("started_at") <= job.Time("finished_at"));
        Assert.Equal(TimeSpan.FromHours(6), job.Time("expires_at") - job.Time("created_at"));
        Assert.Equal(TimeSpan.FromDays(1), job.Time("result_expires_at") - job.Time("finished_at"));
        var metrics = job["metrics"]!;
        Assert.Equal((double)metrics["queue_ms"]! + (double)metrics["run_ms"]!, (double)metrics["total_ms"]!, 0.01);
        Assert.Equal(["/v1/jobs/" + id, $"/v1/jobs/{id}/result", $"/v1/jobs/{id}/events", $"/v1/jobs/{id}/cancel"],
            job["urls"]!.AsObject().Select(p => (string?)p.Value));
        Assert.Equal(["accepted", "dispatched", "claimed", "finished"], job["timeline"]!.AsArray().Select(e => (string?)e!["event"]));
        Assert.All(job["timeline"]!.AsArray(), e => Assert.Equal(["event", "at", "attempt"], e!.AsObject().Select(p => p.Key)));
        var attempt = Assert.Single(job["attempts"]!.AsArray())!;
        Assert.Equal(["attempt", "started_at", "finished_at", "worker", "model_version", "error"], attempt.AsObject().Select(p => p.Key));
        Assert.Equal((1, "1"), ((int)attempt["attempt"]!, (string?)attempt["model_version"]));
    }

    [Fact]
    [Conformance(49)]
    public async Task Given_a_failed_job_When_read_Then_error_attempts_and_fingerprint_say_why()
    {
        var id = await fixture.Client.SubmitAsync("bad", JobCalls.Fast, m => m["max_attempts"] = 2);
        var other = await fixture.Client.SubmitAsync("bad", Bodies.In("FP32", 1, 2, 3), m => m["max_attempts"] = 1);

        var job = await fixture.Client.EndAsync(id);

        MustHaveAllMembers(job);
        Assert.Equal(["code", "message", "attempt", "retryable"], job["error"]!.AsObject().Select(p => p.Key));
        Assert.Equal(("failed", "model_error", 2), ((string?)job["state"], (string?)job["error"]!["code"], (int)job["error"]!["attempt"]!));
        Assert.Equal(["model_error", "model_error"], job["attempts"]!.AsArray().Select(a => (string?)a!["error"]!["code"]));
        Assert.DoesNotContain("/", (string?)job["error"]!["message"], StringComparison.Ordinal);
        Assert.NotNull((string?)job["fingerprint"]);
        Assert.Equal((string?)job["fingerprint"], (string?)(await fixture.Client.EndAsync(other))["fingerprint"]);
    }

    [Fact]
    [Conformance(49)]
    public async Task Given_jobs_in_a_list_and_in_a_202_When_read_Then_the_same_members_are_there_and_the_history_is_null()
    {
        var run = Guid.NewGuid().ToString("N");
        var submitted = await fixture.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast, m => m["metadata"] = new { run }));
        MustHaveAllMembers(submitted.MustBe(202).Json);
        await fixture.Client.EndAsync((string)submitted.Json["id"]!);

        var listed = (await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={run}")).MustBe(200).Json;

        Assert.Equal(["data", "next_cursor"], listed.AsObject().Select(p => p.Key));
        MustHaveAllMembers(listed["data"]![0]!);
        Assert.Null(listed["data"]![0]!["attempts"]);
        Assert.Null(listed["data"]![0]!["timeline"]);
    }

    [Fact]
    [Conformance(49)]
    public async Task Given_a_queued_job_When_read_Then_its_position_counts_what_starts_earlier_and_its_tag_follows_its_state()
    {
        await using var server = await MillraceServer.StartAsync();
        var release = await server.BlockAsync();
        var ids = await server.Client.SubmitManyAsync("sleep", Bodies.Sleep(1), 5, 5, 4);
        async Task<int> PositionAsync(string id) => (int)(await server.Client.ReadAsync(id))["queue_position"]!;

        var first = await PositionAsync(ids[2]);
        Assert.Equal([first + 1, first + 2], new[] { await PositionAsync(ids[0]), await PositionAsync(ids[1]) });
        var queued = (await server.Client.FetchAsync($"/v1/jobs/{ids[0]}")).MustBe(200);
        MustHaveAllMembers(queued.Json);
        Assert.Equal(("queued", 0), ((string?)queued.Json["state"], (int)queued.Json["attempt"]!));
        Assert.Null(queued.Json["started_at"]);

        var tag = queued.Header("ETag")!;
        var unchanged = await server.Client.FetchAsync($"/v1/jobs/{ids[0]}", ("If-None-Match", $"\"other\", {tag}"));
        Assert.Equal((304, "", tag), (unchanged.Status, unchanged.Text, unchanged.Header("ETag")));
        await release();
        await server.Client.EndAsync(ids[0]);
        var changed = (await server.Client.FetchAsync($"/v1/jobs/{ids[0]}", ("If-None-Match", tag))).MustBe(200);
        Assert.NotEqual(tag, changed.Header("ETag"));
    }

    [Theory]
    [InlineData("job_00000000000000000000000000")]
    [InlineData("job_zzzzzzzzzzzzzzzzzzzzzzzzzz")]
    [InlineData("nope")]
    public async Task Given_an_id_of_no_job_When_used_Then_every_route_answers_404(string id)
    {
        (await fixture.Client.FetchAsync($"/v1/jobs/{id}")).MustBe(404, "job_not_found");
        (await fixture.Client.FetchAsync($"/v1/jobs/{id}?wait=30")).MustBe(404, "job_not_found");
        (await fixture.Client.FetchAsync($"/v1/jobs/{id}/result")).MustBe(404, "job_not_found");
        (await fixture.Client.CancelAsync(id)).MustBe(404, "job_not_found");
        (await fixture.Client.RemoveAsync(id)).MustBe(404, "job_not_found");
    }
}
