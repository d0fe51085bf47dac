using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>A job keeps the version that it was made for, also when that is not served any more.</summary>
public sealed class OnDemandTests : IDisposable
{
    private static readonly object One = Bodies.In("FP32", 1);

    private readonly LiveModels _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public async Task Given_a_job_for_a_version_that_the_policy_left_out_since_When_it_runs_Then_the_version_is_loaded_for_it_and_goes_again()
    {
        await using var server = await StartAsync();
        var job = await server.Client.SubmitAsync("stepper", One, m => m["model_version"] = "1");

        _models.Configure("stepper", """{"version_policy": {"latest": {}}}""");
        await server.Client.UntilIndexAsync("stepper", "1", "");
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/stepper/resume")).MustBe(200);
        var ended = await server.Client.EndAsync(job);

        Assert.Equal(("succeeded", "1"), ((string?)ended["state"], (string?)ended["model_version"]));
        Assert.Equal(2f, (float)(await server.Client.FetchAsync($"/v1/jobs/{job}/result")).MustBe(200).Json["outputs"]![0]!["data"]![0]!);
        (await server.Client.PostAsync("/v2/models/stepper/versions/1/infer", One)).MustBe(404);
        await Waiting.UntilAsync(async () => await MemoryAsync(server) == 0, "the idle version is unloaded");
    }

    [Fact]
    public async Task Given_a_job_for_a_version_that_is_gone_When_it_would_run_Then_it_fails_at_once_and_says_why()
    {
        await using var server = await StartAsync();
        var job = await server.Client.SubmitAsync("stepper", One, m => (m["model_version"], m["max_attempts"]) = ("1", 5));

        _models.Remove("stepper", "1");
        await server.Client.UntilIndexAsync("stepper", "1", "");
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/stepper/resume")).MustBe(200);
        var ended = await server.Client.EndAsync(job);

        Assert.Equal(("failed", 1), ((string?)ended["state"], (int)ended["attempt"]!));
        Assert.Equal("model_error", (string?)ended["error"]!["code"]);
        Assert.Contains("not in the model repository any more", (string?)ended["error"]!["message"]);
    }

    private async Task<MillraceServer> StartAsync()
    {
        _models.Put("stepper", "1", "stepper", "1");
        _models.Put("stepper", "2", "stepper", "2");
        var server = await _models.StartAsync();
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/stepper/pause")).MustBe(200);
        return server;
    }

    private static async Task<long> MemoryAsync(MillraceServer server)
    {
        var store = (Storage.Models.IModelStore)server.Services.GetService(typeof(Storage.Models.IModelStore))!;
        return (await store.ReadStatisticsAsync(TestContext.Current.CancellationToken)).Single(s => s is { Model: "stepper", Version: "1" }).MemoryBytes;
    }
}
