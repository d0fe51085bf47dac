using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Millrace.Tests.Support;
using Millrace.Tests.Support.Kubernetes;

namespace Millrace.Drill;

/// <summary>Each alert is provoked for real, seen firing in Prometheus, and seen clear again when its cause is gone.</summary>
internal static class Scenarios
{
    /// <summary>All windows of the rules are divided by it.</summary>
    private const int Factor = 10;

    private static readonly Stopwatch Clock = new();
    private static readonly List<Verdict> Verdicts = [];

    public static async Task<int> RunAsync(string[] only)
    {
        var all = new (string Name, Func<Plant, Task> Run)[]
        {
            ("latency", LatencyAsync), ("errors", ErrorsAsync), ("broker", BrokerAsync), ("workers", WorkersAsync), ("leases", LeasesAsync), ("messages", MessagesAsync), ("models", ModelsAsync), ("store", StoreAsync),
        };
        foreach (var program in (string[])["prometheus", "prometheus-alertmanager"])
        {
            if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program))))
            {
                Console.Error.WriteLine($"{program} is not installed (Debian: {program})");
                return 1;
            }
        }
        Clock.Start();
        await using var plant = new Plant();
        using var interrupt = LeaveOn(PosixSignal.SIGINT, plant);
        using var terminate = LeaveOn(PosixSignal.SIGTERM, plant);
        if (Directory.Exists(plant.Folder))
            Directory.Delete(plant.Folder, recursive: true);
        Directory.CreateDirectory(plant.Folder);
        Console.WriteLine($"Windows of the rules are divided by {Factor}; thresholds, and Alertmanager's own times, stay as they are:");
        foreach (var change in Rules.Scale(Path.Combine(Repository.Root, "deploy", "observability", "prometheus", "rules.yaml"), Path.Combine(plant.Folder, "rules.yaml"), Factor))
            Console.WriteLine($"  {change}");
        await plant.StartAsync("rules.yaml");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Clock.Elapsed.TotalSeconds,6:0}  everything runs; logs are in artifacts/drill"));
        foreach (var (name, run) in all.Where(s => only.Length == 0 || only.Contains(s.Name)))
        {
            try { await run(plant); }
            catch (Exception error) { Judge(name, "", false, error.Message.Split('\n')[0]); } // one that goes wrong must not hide the others
        }
        var (rolledBack, bad) = (plant.Record("lastRollback"), plant.Record("rollingBack"));
        if (bad is not null)
            Judge("record", "", false, $"a rollback is left half done, the last one was at {rolledBack}");
        await plant.Load.StopAsync();
        var missing = await plant.Load.ReadAllAsync();
        Judge("jobs", "", missing.Count == 0 && plant.Load.Accepted > 0,
            $"{plant.Load.Accepted} accepted, {missing.Values.Sum()} lost{string.Concat(missing.Select(m => $", {m.Value} {m.Key}"))}; {plant.Load.Repeats} submissions repeated; {plant.Load.FailedCalls} of {plant.Load.Calls} synchronous calls failed");
        return Tell();
    }

    /// <summary>Whoever stops the drill must find nothing of it running.</summary>
    private static PosixSignalRegistration LeaveOn(PosixSignal signal, Plant plant) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        plant.DisposeAsync().AsTask().Wait();
        Environment.Exit(1);
    });

    private static Task LatencyAsync(Plant plant) => BadReleaseAsync(plant, "latency", "MillraceLatencyHigh", "0.2.0-bbbbbbb", new { target = "store", kind = "latency", rate = 1, latency_ms = 500 });

    private static async Task ErrorsAsync(Plant plant)
    {
        if (plant.Traffic == "blue") // rolled back before: the next release goes into the slot that was bad
            await plant.DeployAsync("0.2.1-ccccccc");
        await BadReleaseAsync(plant, "errors", "MillraceErrorRatioHigh", plant.Record("versions")!.Contains("ccccccc", StringComparison.Ordinal) ? "0.2.1-ccccccc" : "0.2.0-bbbbbbb",
            new { target = "model", kind = "fault", rate = 0.5 });
    }

    private static async Task BadReleaseAsync(Plant plant, string name, string alert, string version, object fault)
    {
        var order = System.Text.Json.JsonSerializer.SerializeToNode(fault)!.AsObject();
        (order["duration_seconds"], order["scope"]) = (300, plant.Traffic);
        var (bad, watch) = (plant.Traffic!, Stopwatch.StartNew());
        Say($"{name}: {order["kind"]} in the {order["target"]} of the new version");
        await plant.ChaosAsync(bad, order);
        var fired = await FiresAsync(plant, alert, watch, 120, ("version", version));
        await Waiting.UntilAsync(() => plant.Traffic != bad, "the Service is switched", 90);
        var switched = watch.Elapsed;
        await Waiting.UntilAsync(() => plant.Record("rollingBack") is null && plant.Record("active") == plant.Traffic, "the record is written", 120);
        var cleared = await ClearsAsync(plant, alert, watch, 180, ("version", version));
        await plant.EndChaosAsync(bad);
        await plant.ReadyAsync();
        Judge(name, alert, switched - fired < TimeSpan.FromSeconds(60), string.Create(CultureInfo.InvariantCulture,
            $"Service switched {(switched - fired).TotalSeconds:0.0} s after it fired"), fired, cleared);
    }

    private static async Task BrokerAsync(Plant plant)
    {
        var watch = Begin("broker: RabbitMQ is killed");
        await plant.Rabbit.KillAsync();
        var fired = await FiresAsync(plant, "MillraceCircuitOpen", watch, 90, ("circuit", "broker"));
        await plant.Rabbit.StartAsync();
        var cleared = await ClearsAsync(plant, "MillraceCircuitOpen", watch, 120);
        Judge("broker", "MillraceCircuitOpen", true, "closed by itself after the restart", fired, cleared);
        await plant.ReadyAsync();
    }

    private static async Task WorkersAsync(Plant plant)
    {
        var worker = Installation.Workers(plant.Traffic!);
        var watch = Begin("workers: none is left, and jobs come in");
        (plant.Load.CallsATick, plant.Load.JobsATick) = (0, 3); // synchronous calls without a worker would be a matter of errors
        plant.Scale(worker, 0);
        var nobody = await FiresAsync(plant, "MillraceNoWorker", watch, 90);
        var growing = await FiresAsync(plant, "MillraceBacklogGrowing", watch, 120);
        plant.Load.JobsATick = 1;
        var old = await FiresAsync(plant, "MillraceOldestJobTooOld", watch, 200);
        plant.Scale(worker, 1);
        Judge("workers", "MillraceNoWorker", true, "", nobody, await ClearsAsync(plant, "MillraceNoWorker", watch, 300));
        Judge("workers", "MillraceBacklogGrowing", true, "", growing, await ClearsAsync(plant, "MillraceBacklogGrowing", watch, 120));
        Judge("workers", "MillraceOldestJobTooOld", true, "120 s is not divided", old, await ClearsAsync(plant, "MillraceOldestJobTooOld", watch, 180));
        plant.Load.CallsATick = 1;
    }

    private static async Task LeasesAsync(Plant plant)
    {
        var slot = plant.Traffic!;
        var watch = Begin("leases: a worker with jobs in work is killed");
        await plant.ChaosAsync(slot, new { target = "model", kind = "latency", rate = 1, latency_ms = 20_000, duration_seconds = 120, scope = slot });
        await Waiting.UntilAsync(async () => await plant.Monitoring.QueryAsync("max(millrace_queue_jobs{state=\"running\"})") > 0, "jobs are in work", 30);
        foreach (var pod in plant.Kubelet.Pods($"{Installation.Worker}-{slot}"))
            pod.Node!.Kill();
        var fired = await FiresAsync(plant, "MillraceLeaseLosses", watch, 90);
        await plant.EndChaosAsync(slot);
        Judge("leases", "MillraceLeaseLosses", true, "", fired, await ClearsAsync(plant, "MillraceLeaseLosses", watch, 180));
    }

    private static async Task MessagesAsync(Plant plant)
    {
        await plant.ReadyAsync();
        var watch = Begin("messages: one that nobody can read, and an API that dies");
        await plant.PublishUnreadableAsync();
        plant.Kubelet.Holds = true;
        plant.Kubelet.Pods($"millrace-api-{plant.Traffic}")[0].Node!.Kill();
        var down = await FiresAsync(plant, "MillraceTargetDown", watch, 60, ("job", "millrace-api"));
        plant.Kubelet.Holds = false;
        var dead = await FiresAsync(plant, "MillraceDeadLetters", watch, 90);
        Judge("messages", "MillraceTargetDown", true, "", down, await ClearsAsync(plant, "MillraceTargetDown", watch, 60));
        Judge("messages", "MillraceDeadLetters", true, "", dead, await ClearsAsync(plant, "MillraceDeadLetters", watch, 180));
    }

    private static async Task ModelsAsync(Plant plant)
    {
        var watch = Begin("models: a new version is no model");
        var (failed, calls) = (plant.Load.FailedCalls, plant.Load.Calls);
        var version = Directory.CreateDirectory(Path.Combine(plant.Models, "digits", "99"));
        await File.WriteAllTextAsync(Path.Combine(version.FullName, "model.onnx"), "not a model");
        var fired = await FiresAsync(plant, "MillraceModelVersionFaulty", watch, 90, ("model", "digits"));
        version.Delete(recursive: true);
        var cleared = await ClearsAsync(plant, "MillraceModelVersionFaulty", watch, 90);
        Judge("models", "MillraceModelVersionFaulty", plant.Load.FailedCalls == failed && plant.Load.Calls > calls, $"{plant.Load.FailedCalls - failed} of {plant.Load.Calls - calls} calls of the old version failed", fired, cleared);
    }

    private static async Task StoreAsync(Plant plant)
    {
        var (before, rolledBack) = (plant.Traffic, plant.Record("lastRollback"));
        await plant.ReadyAsync();
        var watch = Begin("store: PostgreSQL is killed");
        await plant.Postgres.KillAsync();
        var fired = await FiresAsync(plant, "MillracePassLate", watch, 120);
        await plant.Postgres.StartAsync();
        var cleared = await ClearsAsync(plant, "MillracePassLate", watch, 120);
        Judge("store", "MillracePassLate", (plant.Traffic, plant.Record("lastRollback")) == (before, rolledBack), "30 s is not divided; nothing was rolled back", fired, cleared);
    }

    private static async Task<TimeSpan> FiresAsync(Plant plant, string alert, Stopwatch watch, int seconds, params (string Name, string Value)[] labels)
    {
        await Waiting.UntilAsync(async () => await IsFiringAsync(plant, alert, labels), $"{alert} fires", seconds);
        Say($"  {alert} fires");
        return watch.Elapsed;
    }

    private static async Task<TimeSpan> ClearsAsync(Plant plant, string alert, Stopwatch watch, int seconds, params (string Name, string Value)[] labels)
    {
        await Waiting.UntilAsync(async () => !await IsFiringAsync(plant, alert, labels), $"{alert} clears", seconds);
        Say($"  {alert} is over");
        return watch.Elapsed;
    }

    private static async Task<bool> IsFiringAsync(Plant plant, string alert, (string Name, string Value)[] labels) =>
        (await plant.Monitoring.FiringAsync()).Any(a => (string?)a["alertname"] == alert && labels.All(l => (string?)a[l.Name] == l.Value));

    private static Stopwatch Begin(string what)
    {
        Say(what);
        return Stopwatch.StartNew();
    }

    private static void Say(string what) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Clock.Elapsed.TotalSeconds,6:0}  {what}"));

    private static void Judge(string scenario, string alert, bool well, string note, TimeSpan? fired = null, TimeSpan? cleared = null) =>
        Verdicts.Add(new Verdict(scenario, alert, well, note, fired, cleared));

    private static int Tell()
    {
        static string Seconds(TimeSpan? at) => at is { } t ? string.Create(CultureInfo.InvariantCulture, $"+{t.TotalSeconds:0.0}") : "";
        Console.WriteLine();
        Console.WriteLine($"{"scenario",-10} {"alert",-27} {"seen at s",9} {"clear at s",10}  verdict");
        foreach (var v in Verdicts)
            Console.WriteLine($"{v.Scenario,-10} {v.Alert,-27} {Seconds(v.Fired),9} {Seconds(v.Cleared),10}  {(v.IsWell ? "ok" : "FAILED")}{(v.Note.Length > 0 ? ": " + v.Note : "")}");
        return Verdicts.All(v => v.IsWell) ? 0 : 1;
    }

    private sealed record Verdict(string Scenario, string Alert, bool IsWell, string Note, TimeSpan? Fired, TimeSpan? Cleared);
}
