using Millrace.Api.Tests.Inference;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>Load and unload on a real worker.</summary>
public sealed class UnloadTests : IDisposable
{
    private readonly TemporaryFolder _models = ModelFolder.With(("ident_fp32", "{}"), ("root", "{}"));
    private static readonly object Body = Bodies.In("FP32", 1);

    [Fact]
    [Conformance(33)]
    public async Task Given_a_model_When_unloaded_and_loaded_twice_each_Then_200_and_readiness_follows_and_others_serve()
    {
        await using var server = await StartAsync();
        for (var round = 0; round < 2; round++)
        {
            Assert.Equal("""{"name":"ident_fp32","unload":true}""", (await AskAsync(server, "unload")).MustBe(200).Text);
            var answer = (await server.Client.FetchAsync("/v2/models/ident_fp32/ready")).MustBe(503, "model_not_ready");
            Assert.Contains("unloaded on request", (string?)answer.Json["error"], StringComparison.Ordinal);
            (await server.Client.InferAsync("ident_fp32", Body)).MustBe(503, "model_not_ready");
            (await server.Client.InferAsync("root", Body)).MustBe(200);
        }
        var entry = (await server.Client.AskAsync(HttpMethod.Post, "/v2/repository/index")).MustBe(200).Json.AsArray().Single(e => (string?)e!["name"] == "ident_fp32")!;
        Assert.Equal(("UNAVAILABLE", "unloaded on request"), ((string?)entry["state"], (string?)entry["reason"]));
        for (var round = 0; round < 2; round++)
        {
            Assert.Equal("""{"name":"ident_fp32","load":true}""", (await AskAsync(server, "load")).MustBe(200).Text);
            (await server.Client.FetchAsync("/v2/models/ident_fp32/ready")).MustBe(200);
            (await server.Client.InferAsync("ident_fp32", Body)).MustBe(200).MustGive("OUT", 1f);
        }
        var audit = (await server.Client.FetchAsync("/v1/audit")).MustBe(200).Json["data"]!.AsArray().Select(r => (string?)r!["action"]);
        Assert.Equal(["model.load", "model.load", "model.unload", "model.unload"], audit);
    }

    [Fact]
    public async Task Given_a_job_that_waits_When_its_model_is_unloaded_Then_it_waits_unharmed_until_it_is_loaded_again()
    {
        await using var server = await StartAsync();
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp32/pause")).MustBe(200);
        var id = await server.Client.SubmitAsync("ident_fp32", Body);
        (await AskAsync(server, "unload")).MustBe(200);
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp32/resume")).MustBe(200);

        await server.Client.EndAsync(await server.Client.SubmitAsync("root", Body));
        var waiting = (await server.Client.FetchAsync($"/v1/jobs/{id}")).MustBe(200).Json;
        Assert.Equal(("queued", 0), ((string?)waiting["state"], (int)waiting["attempt"]!));

        (await AskAsync(server, "load")).MustBe(200);
        var ended = await server.Client.EndAsync(id);
        Assert.Equal(("succeeded", 1), ((string?)ended["state"], (int)ended["attempt"]!));
    }

    [Fact]
    [Conformance(34)]
    public async Task Given_one_request_of_eight_rows_When_its_statistics_are_read_Then_eight_rows_one_run_and_one_success_are_more()
    {
        await using var server = await MillraceServer.StartAsync();
        (await server.Client.InferAsync("pair", Calls.Pair(new float[32], new float[32]))).MustBe(200);
        await Waiting.UntilAsync(async () => (int)(await StatsAsync())["execution_count"]! == 1, "the worker reported");

        var stats = await StatsAsync();

        Assert.Equal((8, 1), ((int)stats["inference_count"]!, (int)stats["inference_stats"]!["success"]!["count"]!));
        foreach (var part in (string[])["success", "queue", "compute_input", "compute_infer", "compute_output"])
            Assert.True((long)stats["inference_stats"]![part]!["ns"]! > 0, $"{part} took no time");
        Assert.True((long)stats["last_inference"]! > 0);
        Assert.Equal((8, 1), ((int)stats["batch_stats"]![0]!["batch_size"]!, (int)stats["batch_stats"]![0]!["compute_infer"]!["count"]!));

        async Task<System.Text.Json.Nodes.JsonNode> StatsAsync() => (await server.Client.FetchAsync("/v2/models/pair/stats")).MustBe(200).Json["model_stats"]![0]!;
    }

    private static Task<Answer> AskAsync(MillraceServer server, string action) => server.Client.AskAsync(HttpMethod.Post, $"/v2/repository/models/ident_fp32/{action}");

    private Task<MillraceServer> StartAsync() => MillraceServer.StartAsync(_models.Path, [.. Keys.Unlimited, "Millrace:Models:UnloadDelay=00:00:00.100"]);

    public void Dispose() => _models.Dispose();
}
