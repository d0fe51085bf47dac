using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.OnnxRuntime;
using Millrace.Tests.Support;
using Millrace.Tests.Support.Servers;
using RabbitMQ.Client;

[assembly: AssemblyFixture(typeof(PostgresFixture))]
[assembly: AssemblyFixture(typeof(RabbitFixture))]

namespace Millrace.EndToEnd.Tests.Distributed;

/// <summary>API and worker as processes of their own, around a real broker.</summary>
public sealed class BrokerTests(PostgresFixture postgres, RabbitFixture rabbit) : IAsyncLifetime
{
    private Cluster _cluster = null!;
    private MillraceProcess _api = null!;

    private HttpClient Client => _api.Client;

    public async ValueTask InitializeAsync()
    {
        _cluster = new Cluster(rabbit.Url, postgres.NewSchema(), Repository.TestModels);
        _cluster.Settings.Add("Logging:LogLevel:Default=Warning");
        _api = await _cluster.StartApiAsync();
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task Given_all_digits_When_sent_through_the_broker_Then_the_labels_are_ONNX_Runtimes_own()
    {
        await StartWorkerAsync($"Millrace:Models:Path={Repository.Models}");
        var labels = new long[Digits.Scans.Count];
        await Parallel.ForAsync(0, labels.Length, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (at, _) =>
            labels[at] = Label((await Client.PostAsync("/v2/models/digits/infer", Digits.Inference(Digits.Scans[at]))).MustBe(200).Json));
        var expected = RunDirectly();
        Assert.Equal(expected, labels);
        await Parallel.ForAsync(0, 300, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (at, _) =>
        {
            var job = (await Client.PostAsync("/v1/jobs", Bodies.Job("digits", Digits.Inference(Digits.Scans[at])))).MustBe(202).Header("Location");
            Assert.Equal("succeeded", (string?)(await Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json["state"]);
            Assert.Equal(expected[at], Label((await Client.FetchAsync($"{job}/result")).MustBe(200).Json));
        });
    }

    [Fact]
    public async Task Given_no_worker_When_a_request_comes_Then_it_waits_for_one_within_its_deadline_and_models_stay_listed()
    {
        await StartWorkerAsync();
        await StopAsync(_cluster.Processes[1]);
        Assert.Contains("ident_fp32", (await Client.PostAsync("/v2/repository/index", "")).MustBe(200).Json.AsArray().Select(m => (string)m!["name"]!));

        (await Client.PostAsync("/v2/models/ident_fp32/infer", new { inputs = new[] { Bodies.Tensor("IN", "FP32", [1], new[] { 5 }) }, parameters = new { timeout = 500_000 } })).MustBe(504, "deadline_exceeded");
        var waiting = Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 7));
        var job = (await Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 8)))).MustBe(202).Header("Location");
        await _cluster.StartWorkerAsync();

        Assert.Equal(7, (double)(await waiting).MustBe(200).Json["outputs"]![0]!["data"]![0]!);
        Assert.Equal("succeeded", (string?)(await Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json["state"]);
    }

    [Fact]
    [Attack(45, 49)]
    public async Task Given_messages_that_can_not_be_read_When_consumed_Then_they_are_set_aside_and_counted_and_the_consumers_go_on()
    {
        await StartWorkerAsync();
        await using var connection = await new ConnectionFactory { Uri = new Uri(rabbit.Url) }.CreateConnectionAsync(TestContext.Current.CancellationToken);
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), TestContext.Current.CancellationToken);
        (string Queue, byte[] Body)[] bad =
        [
            ("jobs.ident_fp32", []),
            ("jobs.ident_fp32", "{\"JobId\":"u8.ToArray()),
            ("jobs.ident_fp32", Encoding.UTF8.GetBytes(new string('[', 5000))),
            ("jobs.ident_fp32", "[1, 2]"u8.ToArray()),
            ("jobs.ident_fp32", "{\"JobId\":\"not an id\",\"Model\":\"ident_fp32\"}"u8.ToArray()),
            ("jobs.ident_fp32", Encoding.UTF8.GetBytes($"{{\"JobId\":\"{Guid.NewGuid()}\",\"Model\":\"other\"}}")),
            ("jobs.ident_fp32", Encoding.UTF8.GetBytes(new string('[', 100_000))),
            ("jobs.ident_fp32", Encoding.UTF8.GetBytes("{\"JobId\":\"'; drop table jobs;--\",\"Model\":\"ident_fp32\"}")),
            ("jobs.ident_fp32", "{\"$type\":\"System.IO.FileInfo, System.Runtime\",\"JobId\":1}"u8.ToArray()),
            ("jobs.ident_fp32", new byte[15 << 20]),
            ("infer.ident_fp32", []),
            ("infer.ident_fp32", [1, 2, 3]),
            ("infer.ident_fp32", Enumerable.Repeat((byte)255, 200).ToArray()),
        ];
        foreach (var (queue, body) in bad)
            await channel.BasicPublishAsync("", _cluster.Prefix + queue, mandatory: true, Forged(), body, TestContext.Current.CancellationToken);
        // A ticket of a job that never was can be read: it finds nothing and is dropped.
        await channel.BasicPublishAsync("", _cluster.Prefix + "jobs.ident_fp32", mandatory: true, new BasicProperties(),
            Encoding.UTF8.GetBytes($"{{\"JobId\":\"{Guid.NewGuid()}\",\"Model\":\"ident_fp32\"}}"), TestContext.Current.CancellationToken);

        JsonArray letters = [];
        await Waiting.UntilAsync(async () => (letters = (await Client.FetchAsync("/v1/dead-letters")).MustBe(200).Json["data"]!.AsArray()).Count >= bad.Length, "all are set aside");
        Assert.Equal(bad.Length, letters.Count);
        Assert.Equal(bad.Select(b => (long)b.Body.Length).Order(), letters.Select(l => (long)l!["bytes"]!).Order());
        Assert.All(letters, l => Assert.NotEmpty((string)l!["reason"]!));
        (await Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1))).MustBe(200);
        var job = (await Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 8)))).MustBe(202).Header("Location");
        Assert.Equal("succeeded", (string?)(await Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json["state"]);
        await EmptyAsync(channel);
    }

    /// <summary>With what other systems make of headers, and a reply address that is nobody's.</summary>
    private static BasicProperties Forged() => new()
    {
        ReplyTo = "amq.gen-nobody",
        CorrelationId = "1",
        Type = "System.Object",
        Headers = Enumerable.Range(0, 1000).ToDictionary(at => $"MT-Fault-{at}", object? (at) => "x"),
    };

    [Fact]
    public async Task Given_a_queue_that_was_deleted_When_looked_for_Then_its_consumer_is_attached_again_without_a_restart()
    {
        await StartWorkerAsync();
        await using var connection = await new ConnectionFactory { Uri = new Uri(rabbit.Url) }.CreateConnectionAsync(TestContext.Current.CancellationToken);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: TestContext.Current.CancellationToken);
        await channel.QueueDeleteAsync(_cluster.Prefix + "jobs.ident_fp32", cancellationToken: TestContext.Current.CancellationToken);
        await channel.QueueDeleteAsync(_cluster.Prefix + "infer.ident_fp32", cancellationToken: TestContext.Current.CancellationToken);
        await Waiting.UntilAsync(async () => (await _cluster.Processes[1].Management.FetchAsync("/health/ready")).Status == 200, "the worker is ready again");

        var job = (await Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 8)))).MustBe(202).Header("Location");
        Assert.Equal("succeeded", (string?)(await Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json["state"]);
        await Waiting.UntilAsync(async () => (await Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1))).Status == 200, "requests are answered");
    }

    [Fact]
    public async Task Given_a_worker_of_named_models_When_started_Then_it_serves_those_and_refuses_a_name_that_is_not_there()
    {
        await StartWorkerAsync("Millrace:Models:Names=pair, ident_fp32");
        Assert.Equal(["ident_fp32", "pair"], (await Client.PostAsync("/v2/repository/index", "")).MustBe(200).Json.AsArray().Select(m => (string)m!["name"]!).Order());
        var (exitCode, errors) = await MillraceProcess.StartToFailAsync(MillraceProcess.Api, []);
        Assert.Equal(1, exitCode);
        Assert.Contains("Millrace:Broker:Url and Millrace:Store:Url", Assert.Single(errors));
    }

    [Fact]
    public async Task Given_a_request_larger_than_a_message_When_sent_Then_413_says_to_send_a_job_which_is_taken()
    {
        _api = await _cluster.StartApiAsync("Millrace:Broker:MaxMessageBytes=65536");
        await StartWorkerAsync("Millrace:Broker:MaxMessageBytes=65536");
        var large = Bodies.In("FP32", [.. Enumerable.Range(0, 20_000).Cast<object>()]);
        Assert.Contains("/v1/jobs", (string?)(await Client.PostAsync("/v2/models/ident_fp32/infer", large)).MustBe(413, "payload_too_large").Json["error"]);
        var job = (await Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", large))).MustBe(202).Header("Location");
        Assert.Equal("succeeded", (string?)(await Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json["state"]);
    }

    [Fact]
    public async Task Given_load_on_both_lanes_When_every_process_is_replaced_in_turn_Then_no_call_fails_and_no_job_is_lost()
    {
        var second = await _cluster.StartApiAsync();
        await StartWorkerAsync();
        await _cluster.StartWorkerAsync();
        var apis = new[] { _api, second };
        using var ends = new CancellationTokenSource();
        var jobs = new System.Collections.Concurrent.ConcurrentBag<string>();
        var calls = 0;
        async Task<Answer> AskAsync(int at, string path, object body)
        {
            Answer answer = null!;
            await Waiting.UntilAsync(async () =>
            {
                // What a client behind a load balancer does: a closed port or a 503 that says when to come again is tried elsewhere.
                try { return (answer = await apis[at++ % 2].Client.PostAsync(path, body)).Status != 503; }
                catch (HttpRequestException) { return false; }
            }, "one of the APIs takes it", 120);
            return answer;
        }
        var load = Enumerable.Range(0, 8).Select(caller => Task.Run(async () =>
        {
            for (var at = caller; !ends.IsCancellationRequested; at++)
            {
                if (caller % 2 == 0)
                    (await AskAsync(at, "/v2/models/sleep/infer", Bodies.Sleep(5))).MustBe(200);
                else
                    jobs.Add((await AskAsync(at, "/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(5)))).MustBe(202).Header("Location")!);
                Interlocked.Increment(ref calls);
            }
        })).ToArray();

        for (var at = 0; at < 2; at++)
        {
            await Waiting.UntilAsync(() => Volatile.Read(ref calls) > 50 * (at + 1), "calls are made");
            await _cluster.StartWorkerAsync();
            await StopAsync(_cluster.Processes.First(p => !p.HasExited && !apis.Contains(p)));
            var fresh = await _cluster.StartApiAsync();
            var old = apis[at];
            await Cluster.ReadyAsync(fresh);
            apis[at] = fresh;
            await StopAsync(old);
        }
        await ends.CancelAsync();
        await Task.WhenAll(load);

        Assert.True(jobs.Count > 20, $"Only {jobs.Count} jobs were sent.");
        await Parallel.ForEachAsync(jobs, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (job, _) =>
        {
            var ended = (await apis[0].Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json;
            Assert.Equal(("succeeded", 1), ((string?)ended["state"], (int)ended["attempt"]!)); // given back uncharged, if at all
        });
    }

    private async Task StartWorkerAsync(params string[] more)
    {
        var worker = await _cluster.StartWorkerAsync(more);
        await Waiting.UntilAsync(async () => (await worker.Management.FetchAsync("/health/ready")).Status == 200, "the worker is ready", 60);
        await Waiting.UntilAsync(async () => (await Client.PostAsync("/v2/repository/index", "")).Json.AsArray().Count > 0, "the API knows its models", 60);
    }

    private static async Task StopAsync(MillraceProcess process)
    {
        process.Signal(MillraceProcess.Terminate);
        Assert.Equal(0, await process.ExitAsync());
    }

    /// <summary>Quiet at the end: nothing is left in any queue.</summary>
    private async Task EmptyAsync(IChannel channel)
    {
        foreach (var queue in (string[])["jobs.ident_fp32", "infer.ident_fp32", "dead.jobs"])
        {
            await Waiting.UntilAsync(async () =>
                (await channel.QueueDeclarePassiveAsync(_cluster.Prefix + queue, TestContext.Current.CancellationToken)).MessageCount == 0, $"{queue} is empty");
        }
    }

    private static long Label(JsonNode response) => (long)response["outputs"]!.AsArray().Single(o => (string?)o!["name"] == "label")!["data"]![0]!;

    private static long[] RunDirectly()
    {
        using var session = new InferenceSession(Path.Combine(Repository.Models, "digits", "1", "model.onnx"));
        return Digits.Scans.Select(scan =>
        {
            using var input = OrtValue.CreateTensorValueFromMemory(scan, [1, 8, 8]);
            using var outputs = session.Run(new RunOptions(), ["image"], [input], ["label"]);
            return outputs[0].GetTensorDataAsSpan<long>()[0];
        }).ToArray();
    }
}
