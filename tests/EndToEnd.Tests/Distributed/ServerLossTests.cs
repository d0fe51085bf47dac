using System.Diagnostics;
using Millrace.Tests.Support;
using Millrace.Tests.Support.Servers;
using RabbitMQ.Client;

namespace Millrace.EndToEnd.Tests.Distributed;

/// <summary>Broker and database come late, die, lose their data and come back; the processes stay.</summary>
public sealed class ServerLossTests : IAsyncLifetime
{
    private LocalServer _broker = null!;
    private LocalServer _store = null!;
    private Cluster _cluster = null!;

    public async ValueTask InitializeAsync()
    {
        var broker = LocalServer.StartRabbitAsync();
        _store = await LocalServer.StartPostgresAsync();
        _broker = await broker;
        _cluster = new Cluster($"amqp://guest:guest@127.0.0.1:{_broker.Port}", $"postgres://postgres@127.0.0.1:{_store.Port}/postgres", Repository.TestModels);
        _cluster.Settings.AddRange(["Millrace:Models:Names=sleep,ident_fp32", "Logging:LogLevel:Default=Warning"]);
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        await _broker.DisposeAsync();
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task Given_servers_that_come_late_or_die_When_they_are_back_Then_the_processes_work_again_without_a_restart()
    {
        await _broker.KillAsync();
        await _store.KillAsync();
        var api = await _cluster.StartApiAsync();
        var worker = await _cluster.StartWorkerAsync();
        (await api.Client.FetchAsync("/v2/health/live")).MustBe(200);
        (await worker.Management.FetchAsync("/health/live")).MustBe(200);
        (await api.Client.FetchAsync("/v2/health/ready")).MustBe(503, "unavailable");
        Assert.Equal(503, (await worker.Management.FetchAsync("/health/ready")).Status);
        await Waiting.UntilAsync(() => api.Output.Contains("Waiting for the database", StringComparison.Ordinal) && worker.Output.Contains("Waiting for the broker", StringComparison.Ordinal), "they say what they wait for");

        await _store.StartAsync();
        await _broker.StartAsync();
        await Cluster.ReadyAsync(api);
        await Cluster.ReadyAsync(worker);
        await WorksAsync(api);

        // The broker dies: jobs are still accepted, since the row is the outbox; requests are refused, not hung.
        await _broker.KillAsync();
        var accepted = (await api.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 8)))).MustBe(202).Header("Location");
        await Waiting.UntilAsync(async () => (await api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1))).Status == 503, "requests are refused");
        (await api.Client.FetchAsync("/v2/health/ready")).MustBe(200);
        await Waiting.UntilAsync(async () =>
        {
            (await api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1))).MustBe(503, "unavailable");
            return await CircuitAsync(api, "broker") == "open";
        }, "the circuit is open");
        await _broker.StartAsync();
        Assert.Equal("succeeded", (string?)(await api.Client.FetchAsync($"{accepted}?wait=60")).MustBe(200).Json["state"]);
        await WorksAsync(api);
        await Waiting.UntilAsync(async () => await CircuitAsync(api, "broker") == "closed", "the circuit is closed");

        // The database dies: jobs are refused with when to come again, requests go on.
        await _store.KillAsync();
        var refused = (await api.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 8)))).MustBe(503, "unavailable");
        Assert.NotNull(refused.Header("Retry-After"));
        (await api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1))).MustBe(200);
        await Waiting.UntilAsync(async () => await CircuitAsync(api, "store") != "closed", "the circuit is open");
        await _store.StartAsync();
        await Cluster.ReadyAsync(worker);
        await WorksAsync(api);
        Assert.Equal("closed", await CircuitAsync(api, "store"));
    }

    [Fact]
    public async Task Given_a_broker_that_is_short_of_memory_When_requests_come_Then_503_instead_of_a_hang_and_jobs_are_accepted_and_run_when_it_is_not()
    {
        var api = await _cluster.StartApiAsync();
        await _cluster.StartWorkerAsync();
        await Waiting.UntilAsync(async () => (await api.Client.FetchAsync("/v2/models/ident_fp32/ready")).Status == 200, "the model is ready");
        await WorksAsync(api);

        await _broker.KillAsync();
        _broker.More = ["vm_memory_high_watermark.absolute = 1MB"]; // it has more than that in use at all times
        await _broker.StartAsync();

        await Waiting.UntilAsync(async () =>
        {
            var since = Stopwatch.GetTimestamp();
            (await api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1))).MustBe(503, "unavailable");
            Assert.True(Stopwatch.GetElapsedTime(since) < TimeSpan.FromSeconds(30), "it hung");
            return (string?)(await api.Client.FetchAsync("/v1/admission")).MustBe(200).Json["broker_alarm"] is not null;
        }, "the alarm is known");
        (await api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1))).MustBe(503, "unavailable");
        var job = (await api.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 8)))).MustBe(202).Header("Location");

        await _broker.KillAsync();
        _broker.More = [];
        await _broker.StartAsync();
        Assert.Equal("succeeded", (string?)(await api.Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json["state"]);
        await WorksAsync(api);
    }

    [Fact]
    public async Task Given_a_broker_that_is_killed_just_after_its_queues_were_made_When_it_is_back_Then_every_queue_is_consumed_again()
    {
        _cluster.Settings.Remove("Millrace:Models:Names=sleep,ident_fp32"); // of many queues one is hit nearly always
        var api = await _cluster.StartApiAsync();
        var worker = await _cluster.StartWorkerAsync();
        await Cluster.ReadyAsync(worker);
        await _broker.KillAsync();
        await _broker.StartAsync();
        var job = (await api.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 8)))).MustBe(202).Header("Location");
        await Waiting.UntilAsync(async () => (await worker.Management.FetchAsync("/health/ready")).Status == 200, "every consumer is attached", 180);
        await Waiting.UntilAsync(async () => (string?)(await api.Client.FetchAsync($"{job}?wait=30")).MustBe(200).Json["state"] == "succeeded", "the job has run", 90);
    }

    [Fact]
    public async Task Given_queued_jobs_When_the_broker_loses_all_its_data_Then_every_one_finishes()
    {
        var api = await _cluster.StartApiAsync();
        var worker = await _cluster.StartWorkerAsync();
        await Cluster.ReadyAsync(worker);
        await Waiting.UntilAsync(async () => (await api.Client.FetchAsync("/v2/models/ident_fp32/ready")).Status == 200, "the model is ready");
        worker.Signal(MillraceProcess.Terminate);
        Assert.Equal(0, await worker.ExitAsync());
        var jobs = new string[300];
        await Parallel.ForAsync(0, jobs.Length, async (at, _) =>
            jobs[at] = (await api.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", at)))).MustBe(202).Header("Location")!);
        await Waiting.UntilAsync(async () => await TicketsAsync() >= jobs.Length, "their tickets are in the broker");

        await _broker.KillAsync();
        _broker.Wipe();
        await _broker.StartAsync();
        Assert.Equal(0u, await TicketsAsync());
        await _cluster.StartWorkerAsync();

        await Parallel.ForEachAsync(jobs, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (job, _) =>
        {
            var ended = (await api.Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json;
            Assert.Equal(("succeeded", 1), ((string?)ended["state"], (int)ended["attempt"]!));
        });
    }

    [Fact]
    public async Task Given_a_database_that_is_away_When_processes_are_told_to_stop_Then_they_leave_and_the_job_is_run_again()
    {
        var api = await _cluster.StartApiAsync();
        var worker = await _cluster.StartWorkerAsync("Millrace:Drain:Timeout=00:00:02");
        await Waiting.UntilAsync(async () => (await api.Client.FetchAsync("/v2/models/sleep/ready")).Status == 200, "the model is ready");
        var job = (await api.Client.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(2000)))).MustBe(202).Header("Location");
        await Waiting.UntilAsync(async () => (string?)(await api.Client.FetchAsync(job!)).Json["state"] == "running", "the job runs");
        await _store.KillAsync();
        worker.Signal(MillraceProcess.Terminate);
        api.Signal(MillraceProcess.Terminate);
        Assert.Equal(0, await worker.ExitAsync());
        Assert.Equal(0, await api.ExitAsync());

        await _store.StartAsync();
        var other = await _cluster.StartApiAsync();
        await _cluster.StartWorkerAsync();
        Assert.Equal("succeeded", (string?)(await other.Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json["state"]);
    }

    private static async Task<string?> CircuitAsync(MillraceProcess api, string name) => (string?)(await api.Client.FetchAsync("/v1/admission")).MustBe(200).Json["circuits"]![name];

    private static async Task WorksAsync(MillraceProcess api)
    {
        await Waiting.UntilAsync(async () => (await api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1))).Status == 200, "requests are answered", 60);
        var job = "";
        await Waiting.UntilAsync(async () => (await api.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 8)))) is { Status: 202 } answer && (job = answer.Header("Location")!).Length > 0, "jobs are accepted", 60);
        Assert.Equal("succeeded", (string?)(await api.Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json["state"]);
    }

    private async Task<uint> TicketsAsync()
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(_cluster.BrokerUrl) }.CreateConnectionAsync(TestContext.Current.CancellationToken);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: TestContext.Current.CancellationToken);
        try { return (await channel.QueueDeclarePassiveAsync($"{_cluster.Prefix}jobs.ident_fp32", TestContext.Current.CancellationToken)).MessageCount; }
        catch (RabbitMQ.Client.Exceptions.OperationInterruptedException) { return 0; } // it is not even there
    }
}
