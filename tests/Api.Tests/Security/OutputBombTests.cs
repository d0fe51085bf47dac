using System.Text.Json;
using Millrace.Api.Tests.Inference;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Security;

/// <summary>A model that turns one number into as many as it says. Here it may answer with 1 MiB.</summary>
public sealed class OutputBombTests(ServerFixture fixture)
{
    private const long Most = (1 << 20) / sizeof(float);

    [Fact]
    [Attack(20)]
    public async Task Given_an_answer_at_the_models_limit_When_asked_for_Then_it_comes()
    {
        var answer = (await fixture.Client.InferAsync("expand", Elements(Most))).MustBe(200);

        Assert.Equal([Most], answer.Shape("OUT"));
    }

    [Theory]
    [Attack(20)]
    [InlineData(Most + 1)]
    [InlineData(1 << 26)]
    public async Task Given_an_answer_past_the_models_limit_When_asked_for_Then_it_is_413_and_the_next_is_served(long elements)
    {
        var answer = (await fixture.Client.InferAsync("expand", Elements(elements))).MustBe(413, "payload_too_large");

        Assert.Contains("1048576", (string?)answer.Json["error"]);
        (await fixture.Client.InferAsync("expand", Elements(1))).MustBe(200);
    }

    [Fact]
    [Attack(20)]
    public async Task Given_a_job_whose_answer_passes_the_limit_When_run_Then_it_fails_at_once_and_says_so()
    {
        var job = (await fixture.Client.PostAsync("/v1/jobs", Bodies.Job("expand", Elements(Most + 1)), ("Prefer", "wait=30"))).MustBe(200);

        Assert.Equal("failed", (string?)job.Json["state"]);
        Assert.Equal("result_too_large", (string?)job.Json["error"]!["code"]);
        Assert.Equal(1, (int)job.Json["attempt"]!);
    }

    [Fact]
    [Attack(20)]
    public async Task Given_one_output_asked_for_ten_thousand_times_When_sent_Then_400()
    {
        var body = JsonSerializer.Serialize(new { inputs = new[] { Bodies.Tensor("IN", "INT64", [1], new[] { 1 }) }, outputs = Enumerable.Repeat(new { name = "OUT" }, 10_000) });

        (await fixture.Client.InferTextAsync("expand", body)).MustBe(400, "invalid_tensor");
    }

    private static object Elements(long count) => Bodies.Infer(Bodies.Tensor("IN", "INT64", [1], new[] { count }));
}
