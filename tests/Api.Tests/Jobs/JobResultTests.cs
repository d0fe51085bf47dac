using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>The inference response of a job: when there is one, and what is said when there is none.</summary>
public sealed class JobResultTests(ServerFixture fixture)
{
    [Fact]
    [Conformance(52)]
    public async Task Given_a_succeeded_job_When_its_result_is_read_Then_it_equals_the_sync_answer()
    {
        var bodies = new (string Model, object Inference)[]
        {
            ("pair", Bodies.Infer(
                Bodies.Tensor("A", "FP32", [1, 4], new[] { 1, 2, 3, 4 }), Bodies.Tensor("B", "FP32", [1, 4], new[] { 5, 6, 7, 8 }))),
            ("ident_int64", Bodies.In("INT64", long.MinValue, long.MaxValue)),
            ("str", new { id = "42", inputs = new[] { Bodies.Tensor("IN", "BYTES", [2], new[] { "", "ø𝄞" }) } }),
        };
        foreach (var (model, inference) in bodies)
        {
            var id = await fixture.Client.SubmitAsync(model, inference);
            await fixture.Client.EndAsync(id);
            var result = (await fixture.Client.FetchAsync($"/v1/jobs/{id}/result")).MustBe(200);
            var sync = (await fixture.Client.PostAsync($"/v2/models/{model}/infer", inference)).MustBe(200);
            Assert.Equal(sync.Text, result.Text);
            Assert.Equal("application/json", result.Message.Content.Headers.ContentType?.MediaType);
        }
    }

    [Fact]
    [Conformance(52)]
    public async Task Given_a_job_that_has_not_ended_When_its_result_is_read_Then_409_says_when_to_ask_again()
    {
        await using var server = await MillraceServer.StartAsync();
        var release = await server.BlockAsync();
        var queued = await server.Client.SubmitAsync("sleep", Bodies.Sleep(1));
        var early = (await server.Client.FetchAsync($"/v1/jobs/{queued}/result")).MustBe(409, "job_not_finished");
        Assert.True(int.Parse(early.Header("Retry-After")!, System.Globalization.CultureInfo.InvariantCulture) >= 1);
        await release();
        await server.Client.EndAsync(queued);
        (await server.Client.FetchAsync($"/v1/jobs/{queued}/result")).MustBe(200);
    }

    [Fact]
    [Conformance(53)]
    public async Task Given_a_job_that_failed_or_was_canceled_or_deleted_When_its_result_is_read_Then_there_is_none()
    {
        var failed = await fixture.Client.SubmitAsync("bad", JobCalls.Fast, m => m["max_attempts"] = 1);
        Assert.Equal("failed", (string?)(await fixture.Client.EndAsync(failed))["state"]);
        (await fixture.Client.FetchAsync($"/v1/jobs/{failed}/result")).MustBe(409, "no_result");

        var later = TimeProvider.System.GetUtcNow().AddHours(1).ToString("O");
        var canceled = await fixture.Client.SubmitAsync("ident_fp32", JobCalls.Fast, m => m["not_before"] = later);
        (await fixture.Client.CancelAsync(canceled)).MustBe(200);
        (await fixture.Client.FetchAsync($"/v1/jobs/{canceled}/result")).MustBe(409, "no_result");

        var deleted = await fixture.Client.SubmitAsync("ident_fp32", JobCalls.Fast);
        await fixture.Client.EndAsync(deleted);
        Assert.Equal(204, (await fixture.Client.RemoveAsync(deleted)).Status);
        (await fixture.Client.FetchAsync($"/v1/jobs/{deleted}/result")).MustBe(404, "job_not_found");
    }

    [Fact]
    [Conformance(74)]
    public async Task Given_a_result_that_JSON_cannot_say_or_is_not_wanted_in_JSON_When_read_Then_406()
    {
        var half = await fixture.Client.SubmitAsync("half", Bodies.In("FP32", 1));
        var nan = await fixture.Client.SubmitAsync("root", Bodies.In("FP32", -1));
        var plain = await fixture.Client.SubmitAsync("ident_fp32", JobCalls.Fast);
        Assert.Equal("succeeded", (string?)(await fixture.Client.EndAsync(half))["state"]);
        Assert.Equal("succeeded", (string?)(await fixture.Client.EndAsync(nan))["state"]);
        await fixture.Client.EndAsync(plain);
        (await fixture.Client.FetchAsync($"/v1/jobs/{half}/result")).MustBe(406, "not_acceptable");
        (await fixture.Client.FetchAsync($"/v1/jobs/{nan}/result")).MustBe(406, "not_acceptable");
        (await fixture.Client.FetchAsync($"/v1/jobs/{plain}/result", ("Accept", "text/csv"))).MustBe(406, "not_acceptable");
        (await fixture.Client.FetchAsync($"/v1/jobs/{plain}/result", ("Accept", "text/html, */*;q=0.1"))).MustBe(200);
    }
}
