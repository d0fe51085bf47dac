using System.Net.Http.Headers;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>Every code that can be met by now, in the shape of problem details.</summary>
/// <remarks>shutting_down is met in HealthTests, result_expired in ResultTtlTests.</remarks>
public sealed class JobErrorTests(ServerFixture fixture)
{
    private async Task MustBeAsync(int status, string code, Task<Answer> asked)
    {
        var answer = (await asked).MustBe(status, code);
        var problem = answer.Json;
        foreach (var member in new[] { "title", "detail", "instance", "request_id" })
            Assert.False(string.IsNullOrEmpty((string?)problem[member]), $"{code} lacks {member}");
        Assert.EndsWith($"/problems/{code}", (string?)problem["type"], StringComparison.Ordinal);
        Assert.Equal(200, (await fixture.Client.FetchAsync(new Uri((string)problem["type"]!).AbsolutePath)).Status);
        Assert.Equal(answer.Header("Retry-After"), problem["retry_after"]?.ToJsonString());
        if (status == 503)
            Assert.NotNull(answer.Header("Retry-After"));
    }

    [Fact]
    [Conformance(74)]
    public async Task Given_bad_submissions_When_refused_Then_each_has_its_code_and_shape()
    {
        var client = fixture.Client;
        foreach (var text in new[] { "", "{", "nope", "{\"model\":\"\\ud800\"}", "{} x", string.Concat(Enumerable.Repeat("{\"inference\":", 200)) })
            await MustBeAsync(400, "invalid_json", client.PostAsync("/v1/jobs", text));
        foreach (var text in new[] { "[]", "null", "1", "{}" })
            await MustBeAsync(400, "invalid_request", client.PostAsync("/v1/jobs", text));
        await MustBeAsync(400, "invalid_tensor", client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("INT8", 1))));
        await MustBeAsync(400, "invalid_idempotency_key",
            client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast), ("Idempotency-Key", "a b")));
        await MustBeAsync(404, "model_not_found", client.PostAsync("/v1/jobs", Bodies.Job("nope", JobCalls.Fast)));
        await MustBeAsync(503, "model_not_ready", client.PostAsync("/v1/jobs", Bodies.Job("cold", JobCalls.Fast)));
        await MustBeAsync(501, "not_implemented", client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast, m => m["webhook"] = new { })));
    }

    [Fact]
    [Conformance(74)]
    public async Task Given_requests_that_fit_no_route_When_refused_Then_each_has_its_code_and_shape()
    {
        var client = fixture.Client;
        await MustBeAsync(404, "not_found", client.FetchAsync("/v1/nope"));
        await MustBeAsync(404, "not_found", client.FetchAsync("/v1/jobs/a/b/c"));
        await MustBeAsync(400, "invalid_cursor", client.FetchAsync("/v1/jobs?cursor=x"));
        await MustBeAsync(404, "job_not_found", client.FetchAsync("/v1/jobs/nope"));
        await MustBeAsync(404, "model_not_found", client.FetchAsync("/v1/queues/nope"));
        foreach (var (method, path, allow) in new[]
        {
            (HttpMethod.Put, "/v1/jobs", "GET, POST"), (HttpMethod.Post, "/v1/jobs/x", "DELETE, GET"), (HttpMethod.Get, "/v1/jobs/x/cancel", "POST"),
        })
        {
            var asked = client.AskAsync(method, path);
            await MustBeAsync(405, "method_not_allowed", asked);
            Assert.Equal(allow, string.Join(", ", (await asked).Header("Allow")!.Split(", ").Order(StringComparer.Ordinal)));
        }
    }

    [Fact]
    [Conformance(74)]
    public async Task Given_jobs_in_the_wrong_state_When_used_Then_each_refusal_has_its_code_and_shape()
    {
        var client = fixture.Client;
        var later = TimeProvider.System.GetUtcNow().AddHours(1).ToString("O");
        var waiting = await client.SubmitAsync("ident_fp32", JobCalls.Fast, m => m["not_before"] = later);
        await MustBeAsync(409, "job_not_finished", client.FetchAsync($"/v1/jobs/{waiting}/result"));
        await MustBeAsync(409, "job_not_finished", client.RemoveAsync(waiting));
        await MustBeAsync(501, "not_implemented", client.FetchAsync($"/v1/jobs/{waiting}/events"));
        await client.CancelAsync(waiting);
        await MustBeAsync(409, "no_result", client.FetchAsync($"/v1/jobs/{waiting}/result"));
        var done = await client.SubmitAsync("ident_fp32", JobCalls.Fast, null, ("Prefer", "wait=30"));
        await MustBeAsync(409, "job_not_cancelable", client.CancelAsync(done));
        await MustBeAsync(406, "not_acceptable", client.FetchAsync($"/v1/jobs/{done}/result", ("Accept", "image/png")));
        var key = Guid.NewGuid().ToString();
        await client.SubmitAsync("ident_fp32", JobCalls.Fast, null, ("Idempotency-Key", key));
        await MustBeAsync(422, "idempotency_key_reused",
            client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 9)), ("Idempotency-Key", key)));
    }

    [Fact]
    [Conformance(74)]
    public async Task Given_bodies_too_large_or_in_an_unknown_coding_When_sent_Then_413_and_415()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Http:MaxBodyBytes=2048");
        var large = Bodies.Job("ident_fp32", Bodies.Infer(Bodies.Tensor("IN", "FP32", [2000], Enumerable.Repeat(1, 2000).ToArray())));
        await MustBeAsync(413, "payload_too_large", server.Client.PostAsync("/v1/jobs", large));
        var content = new ByteArrayContent([1, 2, 3]);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        content.Headers.ContentEncoding.Add("br");
        var refused = fixture.Client.AskAsync(HttpMethod.Post, "/v1/jobs", content);
        await MustBeAsync(415, "unsupported_encoding", refused);
        Assert.Equal("gzip, deflate, identity", (await refused).Header("Accept-Encoding"));
    }

    [Fact]
    [Conformance(74)]
    public async Task Given_a_request_id_When_refused_Then_it_comes_back_if_harmless_and_a_new_one_if_not()
    {
        var mine = (await fixture.Client.FetchAsync("/v1/jobs/nope", ("X-Request-Id", "mine.1_A-z"))).MustBe(404, "job_not_found");
        Assert.Equal("mine.1_A-z", (string?)mine.Json["request_id"]);
        var bad = (await fixture.Client.FetchAsync("/v1/jobs/nope", ("X-Request-Id", "<script>"))).MustBe(404, "job_not_found");
        Assert.Matches("^[A-Za-z0-9._-]{1,128}$", bad.Header("X-Request-Id"));
    }
}
