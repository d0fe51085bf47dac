using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>Cancel ends a job at once; delete removes one that has ended. Neither is the other.</summary>
public sealed class CancelJobTests(ServerFixture fixture)
{
    [Fact]
    [Conformance(54)]
    public async Task Given_a_queued_job_When_canceled_Then_it_is_final_and_the_model_never_runs_it()
    {
        await using var server = await MillraceServer.StartAsync();
        var release = await server.BlockAsync();
        var ids = await server.Client.SubmitManyAsync("sleep", Bodies.Sleep(1), 5, 5);

        var canceled = (await server.Client.CancelAsync(ids[0])).MustBe(200).Json;

        Assert.Equal(("canceled", 0), ((string?)canceled["state"], (int)canceled["attempt"]!));
        Assert.Equal("canceled_by_client", (string?)canceled["error"]!["code"]);
        Assert.NotNull((string?)canceled["finished_at"]);
        Assert.Equal("canceled", (string?)(await server.Client.CancelAsync(ids[0])).MustBe(200).Json["state"]);
        await release();
        await server.Client.EndAsync(ids[1]);
        Assert.Empty(server.Runs(ids[0]));
        Assert.Equal("canceled", await server.Client.StateAsync(ids[0]));
    }

    [Fact]
    [Conformance(54)]
    public async Task Given_a_running_job_When_canceled_Then_its_run_stops_and_no_result_ever_appears()
    {
        await using var server = await MillraceServer.StartAsync();
        var id = await server.Client.SubmitAsync("sleep", Bodies.Sleep(600_000), m => m["timeout"] = 3600);
        await Waiting.UntilAsync(() => server.Runs(id).Any(), "the run starts");
        var waiting = server.Client.FetchAsync($"/v1/jobs/{id}?wait=60");

        var canceled = (await server.Client.CancelAsync(id)).MustBe(200).Json;

        Assert.Equal(("canceled", 1), ((string?)canceled["state"], (int)canceled["attempt"]!));
        Assert.Equal("canceled", (string?)(await waiting).Json["state"]);
        await Waiting.UntilAsync(() => server.Lines("end", id).Any(), "the run stops within a lease third (10 s)", 10);
        var after = await server.Client.EndAsync(await server.Client.SubmitAsync("sleep", Bodies.Sleep(1))); // the instance is free again
        Assert.Equal("succeeded", (string?)after["state"]);
        Assert.Equal("canceled", await server.Client.StateAsync(id));
        (await server.Client.FetchAsync($"/v1/jobs/{id}/result")).MustBe(409, "no_result");
        (await server.Client.CancelAsync(id)).MustBe(200);
        Assert.Equal([1], server.Runs(id));
    }

    [Fact]
    [Conformance(54)]
    public async Task Given_a_job_that_ended_otherwise_When_canceled_Then_409_and_it_stays_as_it_is()
    {
        var id = await fixture.Client.SubmitAsync("ident_fp32", JobCalls.Fast);
        await fixture.Client.EndAsync(id);
        (await fixture.Client.CancelAsync(id)).MustBe(409, "job_not_cancelable");
        Assert.Equal("succeeded", await fixture.Client.StateAsync(id));
        (await fixture.Client.FetchAsync($"/v1/jobs/{id}/result")).MustBe(200);
    }

    [Fact]
    [Conformance(54)]
    public async Task Given_a_cancel_and_an_end_at_once_When_both_are_done_Then_one_of_them_won_for_good()
    {
        for (var at = 0; at < 30; at++)
        {
            var id = await fixture.Client.SubmitAsync("ident_fp32", JobCalls.Fast);
            var canceled = await fixture.Client.CancelAsync(id);
            var result = await fixture.Client.FetchAsync($"/v1/jobs/{id}/result");
            Assert.Equal((canceled.Status, result.Status), canceled.Status == 200 ? (200, 409) : (409, 200));
            Assert.Equal(canceled.Status == 200 ? "canceled" : "succeeded", (string?)(await fixture.Client.EndAsync(id))["state"]);
        }
    }

    [Fact]
    [Conformance(55)]
    public async Task Given_a_job_When_deleted_Then_only_after_its_end_and_then_it_is_unknown()
    {
        await using var server = await MillraceServer.StartAsync();
        var release = await server.BlockAsync();
        var queued = await server.Client.SubmitAsync("sleep", Bodies.Sleep(1));
        var running = (await server.Client.FetchAsync("/v1/jobs?state=running&order=asc")).Json["data"]![0]!;
        (await server.Client.RemoveAsync((string)running["id"]!)).MustBe(409, "job_not_finished");
        (await server.Client.RemoveAsync(queued)).MustBe(409, "job_not_finished");
        Assert.Equal("queued", await server.Client.StateAsync(queued));
        await release();
        await server.Client.EndAsync(queued);

        var removed = await server.Client.RemoveAsync(queued);

        Assert.Equal((204, ""), (removed.Status, removed.Text));
        (await server.Client.FetchAsync($"/v1/jobs/{queued}")).MustBe(404, "job_not_found");
        (await server.Client.RemoveAsync(queued)).MustBe(404, "job_not_found");
        (await server.Client.CancelAsync(queued)).MustBe(404, "job_not_found");
        Assert.DoesNotContain(queued, (await server.Client.FetchAsync("/v1/jobs")).Text, StringComparison.Ordinal);
    }
}
