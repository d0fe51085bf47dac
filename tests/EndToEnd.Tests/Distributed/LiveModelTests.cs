using Millrace.Tests.Support;
using Millrace.Tests.Support.Servers;

namespace Millrace.EndToEnd.Tests.Distributed;

/// <summary>Models come and go on a worker that meets its API in RabbitMQ and PostgreSQL.</summary>
public sealed class LiveModelTests(PostgresFixture postgres, RabbitFixture rabbit) : IDisposable
{
    private static readonly object One = Bodies.In("FP32", 1);

    /// <summary>After which a worker says that a consumer is lost, and a little.</summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(17);

    private readonly LiveModels _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public async Task Given_a_worker_When_a_model_is_unloaded_and_loaded_and_another_comes_Then_its_consumers_follow_and_it_stays_ready()
    {
        _models.Put("stepper", "1", "stepper", "1");
        _models.Put("other", "1", "ident_fp32");
        await using var cluster = new Cluster(rabbit.Url, postgres.NewSchema(), _models.Path);
        cluster.Settings.Add("Logging:LogLevel:Default=Error");
        cluster.Settings.AddRange(LiveModels.Quick);
        var api = await cluster.StartApiAsync();
        var worker = await cluster.StartWorkerAsync();
        await api.Client.UntilIndexAsync("stepper", "1", "READY");
        (await api.Client.PostAsync("/v2/models/stepper/infer", One)).MustBe(200);
        (await api.Client.AskAsync(HttpMethod.Post, "/v1/queues/stepper/pause")).MustBe(200);
        var job = (await api.Client.PostAsync("/v1/jobs", Bodies.Job("stepper", One))).MustBe(202).Header("Location")!;

        (await api.Client.PostAsync("/v2/repository/models/stepper/unload", "")).MustBe(200);
        (await api.Client.AskAsync(HttpMethod.Post, "/v1/queues/stepper/resume")).MustBe(200);
        (await api.Client.PostAsync("/v2/models/stepper/infer", One)).MustBe(503, "model_not_ready");
        var detached = TimeProvider.System.GetTimestamp();
        await Waiting.UntilAsync(
            async () =>
            {
                Assert.Equal(200, (await worker.Management.FetchAsync("/health/ready")).Status);
                return TimeProvider.System.GetElapsedTime(detached) > LongestSilence;
            },
            "consumers that were detached on purpose are not missed");
        Assert.Equal("queued", (string?)(await api.Client.FetchAsync(job)).MustBe(200).Json["state"]);

        (await api.Client.PostAsync("/v2/repository/models/stepper/load", "")).MustBe(200);
        Assert.Equal("succeeded", (string?)(await api.Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json["state"]);
        (await api.Client.PostAsync("/v2/models/stepper/infer", One)).MustBe(200);
        _models.Put("third", "1", "ident_fp32");
        await api.Client.UntilIndexAsync("third", "1", "READY");
        (await api.Client.PostAsync("/v2/models/third/infer", One)).MustBe(200);
        Assert.Equal("succeeded", (string?)(await api.Client.PostAsync("/v1/jobs", Bodies.Job("third", One), ("Prefer", "wait=60"))).MustBe(200).Json["state"]);
    }
}
