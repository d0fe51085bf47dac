using Millrace.Api.Tests.Inference;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Chaos;

/// <summary>Calls that go wrong on purpose, for a while, where that is allowed.</summary>
public sealed class ChaosTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    [Fact]
    public async Task Given_faults_ordered_for_the_model_When_called_Then_runs_fail_until_the_order_ends()
    {
        await using var server = await StartAsync();
        (await server.Client.PostAsync("/v1/chaos", new { target = "model", kind = "fault", duration_seconds = 3600 })).MustBe(204);
        (await server.Client.InferAsync("ident_fp32", JobCalls.Fast)).MustBe(500, "internal");
        Assert.Equal(1, (await Scrape.OfAsync(server.Management)).Sum("millrace_chaos_active", ("target", "model")));
        var active = Assert.Single((await server.Client.FetchAsync("/v1/chaos")).MustBe(200).Json["data"]!.AsArray())!;
        Assert.Equal(("model", "fault", 1.0), ((string?)active["target"], (string?)active["kind"], (double)active["rate"]!));

        (await server.Client.AskAsync(HttpMethod.Delete, "/v1/chaos")).MustBe(204);

        (await server.Client.InferAsync("ident_fp32", JobCalls.Fast)).MustBe(200);
        Assert.Equal(0, (await Scrape.OfAsync(server.Management)).Sum("millrace_chaos_active"));
        var actions = (await server.Client.FetchAsync("/v1/audit")).MustBe(200).Json["data"]!.AsArray().Select(a => (string?)a!["action"]);
        Assert.Equal(["chaos.end", "chaos.order"], actions);
    }

    [Fact]
    public async Task Given_an_order_that_nobody_takes_back_When_its_time_is_over_Then_it_ends()
    {
        await using var server = await StartAsync();
        (await server.Client.PostAsync("/v1/chaos", new { target = "model", kind = "outcome", duration_seconds = 1 })).MustBe(204);
        await Waiting.UntilAsync(async () => (await server.Client.InferAsync("ident_fp32", JobCalls.Fast)).Status == 200, "it has ended");
        Assert.Empty((await server.Client.FetchAsync("/v1/chaos")).MustBe(200).Json["data"]!.AsArray());
    }

    [Fact]
    public async Task Given_an_order_for_another_scope_When_called_Then_nothing_happens_here()
    {
        await using var server = await StartAsync("Millrace:Chaos:Scope=blue");
        (await server.Client.PostAsync("/v1/chaos", new { target = "model", kind = "fault", duration_seconds = 3600, scope = "green" })).MustBe(204);
        (await server.Client.InferAsync("ident_fp32", JobCalls.Fast)).MustBe(200);
        (await server.Client.PostAsync("/v1/chaos", new { target = "model", kind = "fault", duration_seconds = 3600, scope = "blue" })).MustBe(204);
        (await server.Client.InferAsync("ident_fp32", JobCalls.Fast)).MustBe(500);
    }

    [Theory]
    [InlineData("{}", "/target")]
    [InlineData("""{"target": "disk", "kind": "fault", "duration_seconds": 1}""", "/target")]
    [InlineData("""{"target": "store", "kind": "explode", "duration_seconds": 1}""", "/kind")]
    [InlineData("""{"target": "store", "kind": "outcome", "duration_seconds": 1}""", "/kind")]
    [InlineData("""{"target": "store", "kind": "fault"}""", "/duration_seconds")]
    [InlineData("""{"target": "store", "kind": "fault", "duration_seconds": 3601}""", "/duration_seconds")]
    [InlineData("""{"target": "store", "kind": "fault", "duration_seconds": 1, "rate": 0}""", "/rate")]
    [InlineData("""{"target": "store", "kind": "latency", "duration_seconds": 1, "latency_ms": 60001}""", "/latency_ms")]
    [InlineData("""{"target": "store", "kind": "fault", "duration_seconds": 1, "why": "x"}""", null)]
    [InlineData("[]", null)]
    public async Task Given_an_order_that_can_t_be_meant_When_sent_Then_400_says_what_would_be_right(string body, string? pointer)
    {
        await using var server = await StartAsync();
        var refused = (await server.Client.AskAsync(HttpMethod.Post, "/v1/chaos", new StringContent(body))).MustBe(400, "invalid_request");
        if (pointer is not null)
            Assert.Contains(refused.Json["errors"]!.AsArray(), e => (string?)e!["pointer"] == pointer);
        Assert.Empty((await server.Client.FetchAsync("/v1/chaos")).MustBe(200).Json["data"]!.AsArray());
    }

    [Fact]
    public async Task Given_a_server_where_chaos_is_not_enabled_When_ordered_Then_409_and_nothing_happens()
    {
        (await fixture.Client.PostAsync("/v1/chaos", new { target = "model", kind = "fault", duration_seconds = 1 })).MustBe(409, "conflict");
        Assert.False((bool)(await fixture.Client.FetchAsync("/v1/chaos")).MustBe(200).Json["enabled"]!);
    }

    private static Task<MillraceServer> StartAsync(params string[] more) => MillraceServer.StartAsync(Repository.TestModels, ["Millrace:Chaos:Enabled=true", .. more]);
}
