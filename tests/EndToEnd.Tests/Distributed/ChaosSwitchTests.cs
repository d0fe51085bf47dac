using Millrace.Tests.Support;
using Millrace.Tests.Support.Servers;

namespace Millrace.EndToEnd.Tests.Distributed;

/// <summary>An order for chaos reaches every process, and what was accepted survives it.</summary>
public sealed class ChaosSwitchTests(RabbitFixture rabbit, PostgresFixture postgres) : IAsyncLifetime
{
    private readonly Cluster _cluster = new(rabbit.Url, postgres.NewSchema(), Repository.TestModels);
    private MillraceProcess _api = null!;
    private MillraceProcess _worker = null!;

    [Fact]
    public async Task Given_messages_that_are_confirmed_and_lost_When_jobs_are_accepted_Then_each_is_run_all_the_same()
    {
        await OrderAsync(new { target = "broker", kind = "outcome", duration_seconds = 2 });
        var jobs = new List<string>();
        for (var at = 0; at < 10; at++)
            jobs.Add((await _api.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 1)))).MustBe(202).Header("Location")!);
        foreach (var job in jobs)
            Assert.Equal("succeeded", (string?)(await _api.Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json["state"]);
    }

    [Fact]
    public async Task Given_a_store_that_is_made_to_fail_When_jobs_are_sent_Then_503_and_an_open_circuit_until_it_is_ended()
    {
        await OrderAsync(new { target = "store", kind = "fault", duration_seconds = 3600 });
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(_api.Management)).Sum("millrace_circuit_open", ("circuit", "store")) == 1, "the circuit is open", 60);
        Assert.Equal(1, (await Scrape.OfAsync(_worker.Management)).Sum("millrace_chaos_active", ("target", "store")));
        (await _api.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 1)))).MustBe(503, "unavailable");
        await Waiting.UntilAsync(async () => (await _api.Client.AskAsync(HttpMethod.Delete, "/v1/chaos")).Status == 204, "it is ended, and that is on record");
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(_api.Management)).Sum("millrace_circuit_open", ("circuit", "store")) == 0, "the circuit is closed");
        (await _api.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 1)), ("Prefer", "wait=60"))).MustBe(200);
    }

    [Fact]
    public async Task Given_a_model_that_fails_in_the_worker_When_called_Then_the_order_came_from_the_API()
    {
        await OrderAsync(new { target = "model", kind = "fault", duration_seconds = 3600 });
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(_worker.Management)).Sum("millrace_chaos_active", ("target", "model")) == 1, "the worker has heard");
        (await _api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1))).MustBe(500, "internal");
        (await _api.Client.AskAsync(HttpMethod.Delete, "/v1/chaos")).MustBe(204);
        await Waiting.UntilAsync(async () => (await _api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1))).Status == 200, "the worker has heard that too");
    }

    public async ValueTask InitializeAsync()
    {
        _cluster.Settings.Add("Millrace:Chaos:Enabled=true");
        _api = await _cluster.StartApiAsync();
        _worker = await _cluster.StartWorkerAsync();
        await Cluster.ReadyAsync(_api);
        await Cluster.ReadyAsync(_worker);
        await Waiting.UntilAsync(async () => (await _api.Client.FetchAsync("/v2/models/ident_fp32/ready")).Status == 200, "the API knows the models");
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    private async Task OrderAsync(object order) => (await _api.Client.PostAsync("/v1/chaos", order)).MustBe(204);
}
