using System.Text.Json.Nodes;
using Millrace.Tests.Support;
using Millrace.Tests.Support.Kubernetes;
using Millrace.Tests.Support.Servers;
using RabbitMQ.Client;

namespace Millrace.Drill;

/// <summary>Everything that runs, on loopback: RabbitMQ, PostgreSQL, two slots of API and worker, the Service in front, Prometheus, Alertmanager and the rollback service.</summary>
internal sealed class Plant : IAsyncDisposable
{
    public const string OldVersion = "0.1.0-aaaaaaa";
    private const int ApisOfTheActiveSlot = 2;
    private static readonly string Programs = Path.Combine(Repository.Root, "artifacts", "bin");
    private readonly CancellationTokenSource _stopping = new();
    private readonly HttpClient _admin = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(10) };
    private Task _discovery = Task.CompletedTask;
    private Node _rollback = null!;
    private ServiceProxy _proxy = null!;
    private LocalServer _postgres = null!;
    private LocalServer _rabbit = null!;
    private bool _isGone;

    public string Folder { get; } = Path.Combine(Repository.Root, "artifacts", "drill");

    /// <summary>The workers' model repository.</summary>
    public string Models => Path.Combine(Folder, "models");

    public ApiServer Kubernetes { get; private set; } = null!;

    public Kubelet Kubelet { get; private set; } = null!;

    public Monitoring Monitoring { get; private set; } = null!;

    public Load Load { get; private set; } = null!;

    public LocalServer Postgres => _postgres;

    public LocalServer Rabbit => _rabbit;

    public string? Traffic => (string?)Kubernetes.Read(Installation.Service)["spec"]!["selector"]!["millrace/slot"];

    public string? Record(string key) => (string?)Kubernetes.Read(Installation.Record)["data"]![key];

    public async Task StartAsync(string rules)
    {
        Repository.Copy(Repository.Models, Models);
        var metricsPort = Node.FreePort();
        Environment.SetEnvironmentVariable("BROKER_METRICS_PORT", Node.Text(metricsPort)); // the script's own switch
        _rabbit = await LocalServer.StartRabbitAsync();
        _postgres = await LocalServer.StartPostgresAsync();
        Kubernetes = await ApiServer.StartAsync(Installation.Role);
        Installation.PutInto(Kubernetes, OldVersion, OldVersion, ApisOfTheActiveSlot, workers: 1);
        SetVersion("blue", OldVersion);
        SetVersion("green", "0.2.0-bbbbbbb");
        Kubelet = new Kubelet(Kubernetes, StartPod);
        _proxy = new ServiceProxy(Kubernetes, Kubelet);

        var account = Directory.CreateDirectory(Path.Combine(Folder, "serviceaccount")).FullName;
        await File.WriteAllTextAsync(Path.Combine(account, "token"), Kubernetes.Token);
        var secrets = Directory.CreateDirectory(Path.Combine(Folder, "secrets")).FullName;
        var token = Path.Combine(secrets, "MILLRACE__ROLLBACK__TOKEN");
        await File.WriteAllTextAsync(token, Guid.NewGuid().ToString("N"));
        var port = Node.FreePort();
        _rollback = Start("rollback", "Rollback", new Dictionary<string, string>
        {
            ["MILLRACE_SECRETS"] = secrets,
            ["MILLRACE__ROLLBACK__URL"] = $"http://127.0.0.1:{port}",
            ["MILLRACE__ROLLBACK__APISERVER"] = Kubernetes.Url,
            ["MILLRACE__ROLLBACK__SERVICEACCOUNT"] = account,
            ["MILLRACE__ROLLBACK__NAMESPACE"] = Installation.Namespace,
            ["MILLRACE__ROLLBACK__WORKERS"] = Installation.Worker,
            ["MILLRACE__ROLLBACK__COOLDOWN"] = "00:00:10", // 30 min would end the drill at its first rollback
        });
        Monitoring = await Monitoring.StartAsync(Folder, rules, $"http://127.0.0.1:{port}", token, metricsPort);
        _discovery = Task.Run(DiscoverAsync);
        await ReadyAsync();
        Load = new Load(_proxy.Url);
    }

    /// <summary>As many pods are ready as every Deployment wants.</summary>
    public Task ReadyAsync() => Waiting.UntilAsync(() => Kubernetes.ReadAll(Installation.Deployment("x")[..^2]).All(d =>
        (long?)d["status"]?["observedGeneration"] == (long)d["metadata"]!["generation"]! && (int?)d["status"]?["readyReplicas"] == (int)d["spec"]!["replicas"]!
        && (int?)d["status"]?["updatedReplicas"] == (int)d["spec"]!["replicas"]!), "all pods are ready", 120);

    /// <summary>As an upgrade does it: the version goes into the idle slot, gets ready, gets the traffic; the other slot rests with one pod.</summary>
    public async Task DeployAsync(string version)
    {
        var (old, next) = (Traffic!, Traffic == "blue" ? "green" : "blue");
        SetVersion(next, version);
        Scale(Installation.Api(next), ApisOfTheActiveSlot);
        SetStandby(next, rests: false);
        await ReadyAsync();
        Kubernetes.Change(Installation.Service, Of("spec", Of("selector", Of("millrace/slot", next))));
        Kubernetes.Change(Installation.Hpa, Of("spec", Of("scaleTargetRef", Of("name", $"millrace-api-{next}"))));
        Kubernetes.Change(Installation.ScaledObject, Of("spec", Of("scaleTargetRef", Of("name", $"{Installation.Worker}-{next}"))));
        SetStandby(old, rests: true);
        Scale(Installation.Api(old), 1);
        Kubernetes.Change(Installation.Record, Of("data", new JsonObject { ["active"] = next, ["previous"] = old }));
        await ReadyAsync();
    }

    public void Scale(string deployment, int replicas) => Kubernetes.Change(deployment, Of("spec", Of("replicas", replicas)));

    /// <summary>Through an API of that slot; it reaches the processes of the slot alone.</summary>
    public async Task ChaosAsync(string slot, object order)
    {
        var pod = Kubelet.Pods($"millrace-api-{slot}").First(p => p.IsReady);
        var body = new StringContent(System.Text.Json.JsonSerializer.Serialize(order), System.Text.Encoding.UTF8, "application/json");
        using var answer = await _admin.PostAsync(new Uri($"http://127.0.0.1:{pod.Port}/v1/chaos"), body);
        if (!answer.IsSuccessStatusCode)
            throw new InvalidOperationException($"The chaos switch answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
    }

    /// <summary>Best effort: a process that was started again has forgotten its orders.</summary>
    public async Task EndChaosAsync(string slot)
    {
        foreach (var pod in Kubelet.Pods($"millrace-api-{slot}"))
        {
            try { using var answer = await _admin.DeleteAsync(new Uri($"http://127.0.0.1:{pod.Port}/v1/chaos")); }
            catch (HttpRequestException) { } // gone
        }
    }

    public async Task PublishUnreadableAsync()
    {
        var factory = new ConnectionFactory { Uri = new Uri($"amqp://guest:guest@127.0.0.1:{_rabbit.Port}") };
        await using var connection = await factory.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.BasicPublishAsync("", "jobs.digits", mandatory: true, new BasicProperties(), "not a ticket"u8.ToArray());
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isGone, true))
            return;
        await _stopping.CancelAsync();
        await _discovery;
        if (Load is not null)
            await Load.DisposeAsync();
        if (Monitoring is not null)
            await Monitoring.DisposeAsync();
        if (_rollback is not null)
            await _rollback.DisposeAsync();
        if (Kubelet is not null)
            await Kubelet.DisposeAsync();
        if (_proxy is not null)
            await _proxy.DisposeAsync();
        if (Kubernetes is not null)
            await Kubernetes.DisposeAsync();
        if (_rabbit is not null)
            await _rabbit.DisposeAsync();
        if (_postgres is not null)
            await _postgres.DisposeAsync();
        _admin.Dispose();
        _stopping.Dispose();
    }

    private void SetVersion(string slot, string version)
    {
        foreach (var deployment in (string[])[Installation.Api(slot), Installation.Workers(slot)])
            Kubernetes.Change(deployment, Of("spec", Of("template", Of("metadata", Of("labels", Of("app.kubernetes.io/version", version))))));
        var versions = JsonNode.Parse(Record("versions")!)!;
        versions[slot] = version;
        Kubernetes.Change(Installation.Record, Of("data", Of("versions", versions.ToJsonString())));
    }

    private void SetStandby(string slot, bool rests)
    {
        var path = Installation.Workers(slot);
        var env = new JsonArray(new JsonObject { ["name"] = "MILLRACE__WORKER__STANDBY", ["value"] = rests ? "true" : "false" });
        var patch = Of("spec", Of("template", Of("spec", Of("containers", new JsonArray(new JsonObject { ["name"] = "main", ["env"] = env })))));
        Kubernetes.Change(path, new JsonObject { ["spec"] = MergePatch.ApplyStrategic(Kubernetes.Read(path), patch)["spec"]!.DeepClone() });
    }

    private Node StartPod(string deployment, Pod pod)
    {
        var slot = deployment[(deployment.LastIndexOf('-') + 1)..];
        var environment = new Dictionary<string, string>(pod.Environment)
        {
            ["DOTNET_ENVIRONMENT"] = "Staging",
            ["DOTNET_gcServer"] = "0",
            ["LOGGING__LOGLEVEL__DEFAULT"] = "Warning",
            ["MILLRACE__LOGS__FORMAT"] = "text",
            ["MILLRACE__CHAOS__ENABLED"] = "true",
            ["MILLRACE__CHAOS__SCOPE"] = slot,
            ["MILLRACE__HTTP__URL"] = $"http://127.0.0.1:{pod.Port}",
            ["MILLRACE__GRPC__URL"] = "",
            ["MILLRACE__MANAGEMENT__URL"] = $"http://127.0.0.1:{pod.ManagementPort}",
            ["MILLRACE__BROKER__URL"] = $"amqp://guest:guest@127.0.0.1:{_rabbit.Port}",
            ["MILLRACE__STORE__URL"] = $"postgres://postgres@127.0.0.1:{_postgres.Port}/postgres",
            ["MILLRACE__STORE__ALLOWNOTDURABLE"] = "true",
            ["MILLRACE__STORE__MAXCONNECTIONS"] = "10",
            ["MILLRACE__MODELS__PATH"] = Models,
            ["MILLRACE__WORKER__LEASE"] = "00:00:05",
            ["MILLRACE__WORKER__BACKOFF"] = "00:00:00.500",
            ["MILLRACE__WORKER__LONGESTBACKOFF"] = "00:00:05",
        };
        return Start($"{deployment}-{pod.ManagementPort}", deployment.Contains("worker", StringComparison.Ordinal) ? "Worker" : "Api", environment);
    }

    private Node Start(string name, string program, Dictionary<string, string> environment) =>
        Node.Start(name, Folder, "dotnet", [Path.Combine(Programs, program, "release", $"Millrace.{program}.dll")], environment);

    private async Task DiscoverAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            Monitoring.SetTargets(Kubelet.AllPods);
            try { await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, _stopping.Token); }
            catch (OperationCanceledException) { } // the end
        }
    }

    private static JsonObject Of(string name, JsonNode value) => new() { [name] = value };
}
