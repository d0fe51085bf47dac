using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Millrace.Tests.Support;
using Millrace.Tests.Support.Kubernetes;

namespace Millrace.Rollback.Tests;

/// <summary>An installation in an API server in memory, and rollback services as processes that talk to it.</summary>
internal sealed class Cluster : IAsyncDisposable
{
    public const string Token = "a token for Alertmanager";
    public const string BadVersion = "0.2.0-bbbbbbb";
    public const string GoodVersion = "0.1.0-aaaaaaa";

    private readonly TemporaryFolder _folder = new();
    private readonly List<MillraceProcess> _processes = [];

    private Cluster(ApiServer server) => Server = server;

    public ApiServer Server { get; }

    /// <summary>Of the service account.</summary>
    public string Folder => _folder.Path;

    /// <param name="ready">All pods are ready at once; without, those of the start are, and no others ever.</param>
    public static async Task<Cluster> StartAsync(IReadOnlyList<Grant>? role = null, bool ready = true, X509Certificate2? certificate = null)
    {
        var cluster = new Cluster(await ApiServer.StartAsync(role ?? Installation.Role, certificate));
        Installation.PutInto(cluster.Server);
        foreach (var deployment in (string[])[Installation.Api("blue"), Installation.Api("green"), Installation.Workers("blue"), Installation.Workers("green")])
            Installation.MakeReady(cluster.Server, deployment);
        if (ready)
            Installation.RunController(cluster.Server);
        cluster.WriteToken();
        return cluster;
    }

    public void WriteToken() => File.WriteAllText(Path.Combine(Folder, "token"), Server.Token + "\n");

    public string[] Settings(params string[] more) =>
    [
        "Millrace:Rollback:Url=http://127.0.0.1:0", $"Millrace:Rollback:Token={Token}", $"Millrace:Rollback:ApiServer={Server.Url}", $"Millrace:Rollback:ServiceAccount={Folder}",
        $"Millrace:Rollback:Namespace={Installation.Namespace}", $"Millrace:Rollback:Workers={Installation.Worker}", .. more,
    ];

    public async Task<MillraceProcess> StartServiceAsync(params string[] more)
    {
        var process = await MillraceProcess.StartAsync("Rollback", Settings(more));
        _processes.Add(process);
        return process;
    }

    public void Change(string path, JsonObject patch) => Server.Change(path, patch);

    public void SetRecord(string key, string? value) => Server.Change(Installation.Record, new JsonObject { ["data"] = new JsonObject { [key] = value } });

    public string? Record(string key) => (string?)Server.Read(Installation.Record)["data"]![key];

    public string? Traffic => (string?)Server.Read(Installation.Service)["spec"]!["selector"]!["millrace/slot"];

    public int Replicas(string deployment) => (int)Server.Read(deployment)["spec"]!["replicas"]!;

    public string? Target(string scaler) => (string?)Server.Read(scaler)["spec"]!["scaleTargetRef"]!["name"];

    public string? Standby(string slot) => (string?)Server.Read(Installation.Workers(slot))["spec"]!["template"]!["spec"]!["containers"]!.AsArray()
        .Single(c => (string?)c!["name"] == "main")!["env"]!.AsArray().Single(e => (string?)e!["name"] == "MILLRACE__WORKER__STANDBY")!["value"];

    public IReadOnlyList<Call> Writes => [.. Server.Calls.Where(c => c.Verb != "get")];

    /// <summary>Everything as after a rollback that came to its end.</summary>
    public void MustBeRolledBack()
    {
        Assert.Equal("blue", Traffic);
        Assert.Equal("millrace-api-blue", Target(Installation.Hpa));
        Assert.Equal($"{Installation.Worker}-blue", Target(Installation.ScaledObject));
        Assert.Equal((3, 1), (Replicas(Installation.Api("blue")), Replicas(Installation.Api("green"))));
        Assert.Equal((2, 1), (Replicas(Installation.Workers("blue")), Replicas(Installation.Workers("green"))));
        Assert.Equal(("false", "true"), (Standby("blue"), Standby("green")));
        Assert.Equal(("blue", "", null), (Record("active"), Record("previous"), Record("rollingBack")));
        Assert.Equal(Record("since"), Record("lastRollback"));
        Assert.Contains(BadVersion, Record("reason"), StringComparison.Ordinal);
        Assert.True(DateTimeOffset.Parse(Record("lastRollback")!, CultureInfo.InvariantCulture) > TimeProvider.System.GetUtcNow().AddMinutes(-5));
        var told = Assert.Single(Server.ReadAll(Installation.Events));
        Assert.Equal("RolledBack", (string?)told["reason"]);
    }

    /// <summary>Nothing that traffic or scaling depends on has changed.</summary>
    public void MustBeUntouched()
    {
        Assert.Equal("green", Traffic);
        Assert.Equal("millrace-api-green", Target(Installation.Hpa));
        Assert.Equal($"{Installation.Worker}-green", Target(Installation.ScaledObject));
        Assert.Equal((1, 3), (Replicas(Installation.Api("blue")), Replicas(Installation.Api("green"))));
        Assert.Equal(("true", "false"), (Standby("blue"), Standby("green")));
        Assert.Equal("green", Record("active"));
        Assert.Null(Record("rollingBack"));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
            await process.DisposeAsync();
        await Server.DisposeAsync();
        _folder.Dispose();
    }
}

internal static class Alerts
{
    /// <summary>As Alertmanager sends it.</summary>
    public static object Notification(string version = Cluster.BadVersion, string status = "firing", string? action = "rollback", string name = "MillraceLatencyHigh")
    {
        var labels = new Dictionary<string, string> { ["alertname"] = name, ["app"] = "millrace", ["severity"] = "page", ["version"] = version };
        if (action is not null)
            labels["action"] = action;
        return new
        {
            version = "4",
            groupKey = "{}:{alertname=\"MillraceLatencyHigh\"}",
            truncatedAlerts = 0,
            status,
            receiver = "rollback",
            groupLabels = new { },
            commonLabels = labels,
            commonAnnotations = new { },
            externalURL = "http://alertmanager",
            alerts = new[] { new { status, labels, annotations = new { }, startsAt = "2026-11-28T10:00:00Z", endsAt = "0001-01-01T00:00:00Z", generatorURL = "", fingerprint = "1" } },
        };
    }

    public static Task<Answer> SendAlertAsync(this MillraceProcess service, object? notification = null) =>
        service.Client.PostAsync("/alerts", notification ?? Notification(), ("Authorization", $"Bearer {Cluster.Token}"));

    public static void MustSay(this Answer answer, int status, bool acted, string reason)
    {
        Assert.True(answer.Status == status, $"Expected {status}, got {answer.Status}: {answer.Text}");
        Assert.Equal((acted, reason), ((bool)answer.Json["acted"]!, (string?)answer.Json["reason"]));
    }
}
