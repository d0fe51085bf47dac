using System.Diagnostics;
using System.Globalization;
using Millrace.Rehearsal.Chart;
using Millrace.Rehearsal.Scaling;
using Millrace.Tests.Support;
using Millrace.Tests.Support.Servers;
using Npgsql;

namespace Millrace.Rehearsal.Run;

/// <summary>RabbitMQ with its management interface, PostgreSQL, an API, and for each ScaledObject a pool of workers that is empty.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _owned = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _loops = Task.CompletedTask;

    private Stage(string folder) => Folder = folder;

    /// <summary>Logs, ledgers, and what is written about a run.</summary>
    public string Folder { get; }

    public required Stopwatch Clock { get; init; }

    public required BrokerFigures Broker { get; init; }

    public required HttpClient Api { get; init; }

    public required NpgsqlDataSource Store { get; init; }

    public required IReadOnlyList<Controller> Controllers { get; init; }

    /// <summary>The processes beside the workers, by name.</summary>
    public required IReadOnlyDictionary<string, int> Pids { get; init; }

    /// <param name="name">Of its folder below artifacts/.</param>
    /// <param name="models">The folders of single models.</param>
    /// <param name="statistics">How often the broker counts what is in its queues, at least 1 s. By default every 5 s.</param>
    public static async Task<Stage> OpenAsync(string name, Manifest manifest, IReadOnlyList<ScaledObject> targets, string[] models, TimeSpan? statistics = null)
    {
        var folder = Path.Combine(Repository.Root, "artifacts", name);
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        var owned = new List<IAsyncDisposable>();
        try
        {
            var management = ServerProcess.FreePort();
            Environment.SetEnvironmentVariable("BROKER_MANAGEMENT_PORT", management.ToString(CultureInfo.InvariantCulture)); // for rabbitmq.sh
            if (statistics is { TotalMilliseconds: var milliseconds })
            {
                var settings = Path.Combine(folder, "advanced.config");
                await File.WriteAllTextAsync(settings, Counting(milliseconds));
                Environment.SetEnvironmentVariable("RABBITMQ_ADVANCED_CONFIG_FILE", settings);
            }
            var rabbit = await LocalServer.StartRabbitAsync();
            owned.Add(rabbit);
            var postgres = await LocalServer.StartPostgresAsync("full_page_writes"); // commits are written through, as they are in use
            owned.Add(postgres);
            var host = targets[0].Triggers[0].VirtualHost;
            var figures = await BrokerFigures.OpenAsync(management, host);
            var environment = new Dictionary<string, string>
            {
                ["MILLRACE__BROKER__URL"] = $"amqp://guest:guest@127.0.0.1:{rabbit.Port}/{Uri.EscapeDataString(host)}",
                ["MILLRACE__STORE__URL"] = $"postgres://postgres@127.0.0.1:{postgres.Port}/postgres",
                ["MILLRACE__STORE__ALLOWNOTDURABLE"] = "true",
                ["MILLRACE__MODELS__PATH"] = Gather(folder, models),
            };
            // What the chart's hook does: with no worker ever started, the models are known and the queues there.
            await ServerProcess.RunAsync("Worker", "announce", environment, Path.Combine(folder, "announce.log"));
            var url = $"http://127.0.0.1:{ServerProcess.FreePort()}";
            var api = ServerProcess.Start("Api", [], new Dictionary<string, string>(environment)
            {
                ["MILLRACE__HTTP__URL"] = url,
                ["MILLRACE__GRPC__URL"] = "",
                ["MILLRACE__RATELIMIT__TENANTREQUESTS"] = "0", // everybody is one tenant here, and more than a thousand calls a minute are meant
            }, Path.Combine(folder, "api.log"));
            owned.Add(api);
            await api.MustBecomeReadyAsync(TimeSpan.FromSeconds(60));
            var clock = new Stopwatch();
            var stage = new Stage(folder)
            {
                Broker = figures,
                Api = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 1000 }) { BaseAddress = new Uri(url), Timeout = TimeSpan.FromSeconds(90) },
                Store = NpgsqlDataSource.Create($"Host=127.0.0.1;Port={postgres.Port};Username=postgres;Maximum Pool Size=4"),
                Controllers = targets.Select(target => new Controller(target, figures, new WorkerPool(PodTemplate.Of(manifest, target.Target), environment, target.Name, folder), clock)).ToArray(),
                Pids = new Dictionary<string, int>
                {
                    ["api"] = api.Pid,
                    ["rabbitmq"] = int.Parse(await File.ReadAllTextAsync(Path.Combine(rabbit.Folder, "server", "pid")), CultureInfo.InvariantCulture),
                    ["postgres"] = int.Parse(File.ReadLines(Path.Combine(postgres.Folder, "server", "data", "postmaster.pid")).First(), CultureInfo.InvariantCulture),
                },
                Clock = clock,
            };
            stage._owned.AddRange(owned);
            return stage;
        }
        catch
        {
            foreach (var one in Enumerable.Reverse(owned))
                await one.DisposeAsync();
            throw;
        }
    }

    /// <summary>From here on the controllers scale, and time is counted. Waits first until the broker's figures say that every queue is there and empty.</summary>
    public async Task BeginAsync()
    {
        foreach (var queue in Controllers.SelectMany(c => c.Target.Triggers).Select(t => t.Queue))
            await Waiting.UntilAsync(async () => await Broker.ReadAsync(queue) is { Messages: 0 }, $"the broker says that {queue} is there and empty", 60);
        Clock.Start();
        _loops = Task.WhenAll(Controllers.Select(c => c.RunAsync(_stop.Token)));
    }

    public async Task<T> AskAsync<T>(string sql)
    {
        await using var command = Store.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loops;
        foreach (var controller in Controllers)
            await controller.Pool.DisposeAsync();
        Api.Dispose();
        Broker.Dispose();
        await Store.DisposeAsync();
        foreach (var one in Enumerable.Reverse(_owned))
            await one.DisposeAsync();
        _stop.Dispose();
    }

    /// <summary>The three places where figures wait: in a queue's process, of either kind, and in the management's tables.</summary>
    private static string Counting(double milliseconds)
    {
        const string samples = "[{sample_retention_policies, [{global, [{605, 1}]}, {basic, [{605, 1}]}, {detailed, [{605, 1}]}]}]";
        return string.Create(CultureInfo.InvariantCulture,
            $"[{{rabbit, [{{collect_statistics_interval, {milliseconds}}}, {{quorum_tick_interval, {milliseconds}}}]}}, {{rabbitmq_management_agent, {samples}}}, {{rabbitmq_management, {samples}}}].\n");
    }

    /// <summary>One repository of models from several folders.</summary>
    private static string Gather(string folder, string[] models)
    {
        var repository = Path.Combine(folder, "models");
        Directory.CreateDirectory(repository);
        foreach (var model in models) // a link out of a repository is refused
            Repository.Copy(model, Path.Combine(repository, Path.GetFileName(model)));
        return repository;
    }
}
