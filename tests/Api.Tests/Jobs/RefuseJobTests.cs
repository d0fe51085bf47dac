using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>Submissions that are refused before anything is stored, with a pointer to each fault.</summary>
public sealed class RefuseJobTests(ServerFixture fixture)
{
    [Theory]
    [Attack(27)]
    [Conformance(47)]
    [InlineData("nope", "1", "/nope")]
    [InlineData("a/b~c", "1", "/a~1b~0c")]
    [InlineData("model", "7", "/model")]
    [InlineData("model", "null", "/model")]
    [InlineData("model", "\"\"", "/model")]
    [InlineData("model_version", "1", "/model_version")]
    [InlineData("timeout", "0", "/timeout")]
    [InlineData("timeout", "-1", "/timeout")]
    [InlineData("timeout", "3600.5", "/timeout")]
    [InlineData("timeout", "\"60\"", "/timeout")]
    [InlineData("timeout", "1e400", "/timeout")]
    [InlineData("timeout", "1e308", "/timeout")]
    [InlineData("expires_in", "1e308", "/expires_in")]
    [InlineData("expires_in", "2147483648", "/expires_in")]
    [InlineData("max_attempts", "2147483648", "/max_attempts")]
    [InlineData("priority", "2147483648", "/priority")]
    [InlineData("result_ttl", "-1", "/result_ttl")]
    [InlineData("result_ttl", "1e308", "/result_ttl")]
    [InlineData("priority", "10", "/priority")]
    [InlineData("priority", "-1", "/priority")]
    [InlineData("priority", "1.5", "/priority")]
    [InlineData("expires_in", "0", "/expires_in")]
    [InlineData("expires_in", "604801", "/expires_in")]
    [InlineData("max_attempts", "0", "/max_attempts")]
    [InlineData("max_attempts", "11", "/max_attempts")]
    [InlineData("result_ttl", "59", "/result_ttl")]
    [InlineData("result_ttl", "2592001", "/result_ttl")]
    [InlineData("not_before", "\"2999-01-01T00:00:00Z\"", "/not_before")]
    [InlineData("not_before", "\"tomorrow\"", "/not_before")]
    [InlineData("not_before", "\"2030-01-01T00:00:00\"", "/not_before")]
    [InlineData("metadata", "[]", "/metadata")]
    [InlineData("metadata", "{\"k\":1}", "/metadata/k")]
    [InlineData("metadata", "{\"a/b\":1}", "/metadata/a~1b")]
    [InlineData("metadata", "{\"\":\"v\"}", "/metadata")]
    [InlineData("inference", "[]", "/inference")]
    public async Task Given_a_bad_member_When_submitted_Then_400_points_to_it(string member, string value, string pointer)
    {
        const string good = """{"model":"ident_fp32","inference":{"inputs":[{"name":"IN","datatype":"FP32","shape":[1],"data":[1]}]}}""";
        var body = JsonNode.Parse(good)!.AsObject();
        body.Remove(member);
        var text = body.ToJsonString()[..^1] + $",\"{member}\":{value}}}";

        var answer = (await fixture.Client.PostAsync("/v1/jobs", text)).MustBe(400, "invalid_request");

        Assert.Equal(pointer, (string?)Assert.Single(answer.Json["errors"]!.AsArray())!["pointer"]);
        Assert.False(string.IsNullOrEmpty((string?)answer.Json["errors"]![0]!["detail"]));
    }

    [Fact]
    [Conformance(47)]
    public async Task Given_several_faults_When_submitted_Then_all_are_said_at_once()
    {
        var answer = await fixture.Client.PostAsync("/v1/jobs", """{"nope":1,"timeout":"x","priority":10,"expires_in":0}""");
        answer.MustBe(400, "invalid_request");
        Assert.Equal(
            ["/expires_in", "/inference", "/model", "/nope", "/priority", "/timeout"],
            answer.Json["errors"]!.AsArray().Select(e => (string?)e!["pointer"]).Order(StringComparer.Ordinal));
    }

    [Fact]
    [Attack(27)]
    [Conformance(47)]
    public async Task Given_metadata_at_and_over_its_limits_When_submitted_Then_only_what_is_over_is_refused()
    {
        static Dictionary<string, string> Texts(int keys, int key, int value) => Enumerable.Range(0, keys)
            .ToDictionary(at => $"{at:D2}".PadRight(key, 'k'), _ => new string('v', value));
        async Task<Answer> SubmitAsync(Dictionary<string, string> metadata) =>
            await fixture.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast, m => m["metadata"] = metadata));

        var most = Texts(16, 40, 500);
        var id = (string)(await SubmitAsync(most)).MustBe(202).Json["id"]!;
        var echoed = (await fixture.Client.ReadAsync(id))["metadata"]!.AsObject().ToDictionary(p => p.Key, p => (string)p.Value!);
        Assert.Equal(most.OrderBy(p => p.Key), echoed.OrderBy(p => p.Key));
        (await SubmitAsync(Texts(17, 2, 1))).MustBe(400, "invalid_request");
        (await SubmitAsync(Texts(1, 41, 1))).MustBe(400, "invalid_request");
        (await SubmitAsync(Texts(1, 2, 501))).MustBe(400, "invalid_request");
    }

    [Fact]
    [Conformance(47)]
    public async Task Given_a_start_after_the_expiry_When_submitted_Then_400_points_to_it()
    {
        var start = TimeProvider.System.GetUtcNow().AddSeconds(120).ToString("O");
        var late = Bodies.Job("ident_fp32", JobCalls.Fast, m => (m["not_before"], m["expires_in"]) = (start, 60));
        var refused = (await fixture.Client.PostAsync("/v1/jobs", late)).MustBe(400, "invalid_request");
        Assert.Equal("/not_before", (string?)refused.Json["errors"]![0]!["pointer"]);
        var early = Bodies.Job("ident_fp32", JobCalls.Fast, m => (m["not_before"], m["expires_in"]) = (start, 3600));
        var id = (string)(await fixture.Client.PostAsync("/v1/jobs", early)).MustBe(202).Json["id"]!;
        (await fixture.Client.CancelAsync(id)).MustBe(200);
    }

    [Fact]
    [Conformance(48)]
    public async Task Given_an_unknown_model_version_or_a_bad_tensor_When_submitted_Then_it_is_refused_and_no_job_is_made()
    {
        var run = Guid.NewGuid().ToString("N");
        async Task<Answer> SubmitAsync(string model, object inference, string? version = null) => await fixture.Client.PostAsync("/v1/jobs",
            Bodies.Job(model, inference, m => (m["model_version"], m["metadata"]) = (version, new { run })));

        (await SubmitAsync("nope", JobCalls.Fast)).MustBe(404, "model_not_found");
        (await SubmitAsync("ident_fp32", JobCalls.Fast, "99")).MustBe(404, "model_not_found");
        Assert.NotNull((await SubmitAsync("cold", JobCalls.Fast)).MustBe(503, "model_not_ready").Header("Retry-After"));
        (await SubmitAsync("ident_fp32", Bodies.Infer(Bodies.Tensor("IN", "FP32", [3], new[] { 1, 2 })))).MustBe(400, "invalid_tensor");
        (await SubmitAsync("ident_fp32", Bodies.In("FP32", "x"))).MustBe(400, "invalid_tensor");
        (await SubmitAsync("ident_uint8", Bodies.In("UINT8", 300))).MustBe(400, "invalid_tensor");

        Assert.Empty((await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={run}")).MustBe(200).Json["data"]!.AsArray());
        await SubmitAsync("ident_fp32", JobCalls.Fast); // the filter does find what is there
        Assert.Single((await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={run}")).MustBe(200).Json["data"]!.AsArray());
    }

    [Fact]
    [Conformance(47)]
    public async Task Given_what_is_not_built_When_asked_for_Then_501_and_never_silence()
    {
        var webhook = Bodies.Job("ident_fp32", JobCalls.Fast, m => m["webhook"] = new { url = "https://example.org/" });
        (await fixture.Client.PostAsync("/v1/jobs", webhook)).MustBe(501, "not_implemented");
        var none = Bodies.Job("ident_fp32", JobCalls.Fast, m => m["webhook"] = null);
        var id = (string)(await fixture.Client.PostAsync("/v1/jobs", none)).MustBe(202).Json["id"]!;
        (await fixture.Client.FetchAsync($"/v1/jobs/{id}/events")).MustBe(501, "not_implemented");
    }
}
