using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>The same request, answered on the connection or as a job.</summary>
public sealed class PreferTests(ServerFixture fixture)
{
    [Theory]
    [Conformance(35)]
    [InlineData("respond-async")]
    [InlineData("Respond-Async")]
    [InlineData("foo, respond-async; bar=1")]
    public async Task Given_respond_async_When_inferred_Then_202_with_a_job_that_gives_the_same_answer(string prefer)
    {
        var body = Calls.Pair([1, 2, 3, 4], [5, 6, 7, 8]);

        var accepted = (await fixture.Client.InferAsync("pair", body, ("Prefer", prefer))).MustBe(202);

        Assert.Matches("^/v1/jobs/job_[0-9A-Z]{26}$", accepted.Header("Location"));
        Assert.Equal(accepted.Header("Location"), $"/v1/jobs/{(string?)accepted.Json["id"]}");
        Assert.Contains((string?)accepted.Json["state"], (string[])["queued", "running"]);
        var job = (await fixture.Client.FetchAsync($"{accepted.Header("Location")}?wait=30")).MustBe(200);
        Assert.Equal("succeeded", (string?)job.Json["state"]);
        var result = (await fixture.Client.FetchAsync($"{accepted.Header("Location")}/result")).MustBe(200);
        Assert.True(JsonNode.DeepEquals((await fixture.Client.InferAsync("pair", body)).MustBe(200).Json, result.Json), result.Text);
    }

    [Theory]
    [Conformance(35)]
    [InlineData(null)]
    [InlineData("wait=5")]
    [InlineData("return=minimal")]
    [InlineData("respond-asynchronously")]
    public async Task Given_no_respond_async_When_inferred_Then_always_200(string? prefer)
    {
        (string, string)[] headers = prefer is null ? [] : [("Prefer", prefer)];

        (await fixture.Client.InferAsync("ident_fp32", Bodies.In("FP32", 7), headers)).MustBe(200).MustGive<float>("OUT", 7);
    }

    [Fact]
    [Conformance(35)]
    public async Task Given_respond_async_When_the_request_is_wrong_Then_the_error_comes_at_once()
    {
        (await fixture.Client.InferAsync("pair", Bodies.In("FP32", 1), ("Prefer", "respond-async"))).MustBe(400, "invalid_tensor");
        (await fixture.Client.InferAsync("nope", Bodies.In("FP32", 1), ("Prefer", "respond-async"))).MustBe(404, "model_not_found");
        (await fixture.Client.InferAsync("cold", Bodies.In("FP32", 1), ("Prefer", "respond-async"))).MustBe(503, "model_not_ready");
    }
}
