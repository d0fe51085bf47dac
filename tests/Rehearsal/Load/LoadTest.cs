using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Millrace.Rehearsal.Chart;
using Millrace.Rehearsal.Report;
using Millrace.Rehearsal.Run;
using Millrace.Tests.Support;

namespace Millrace.Rehearsal.Load;

/// <summary><c>load</c>: 200 clients at once on one worker, on two, and on a pool that scales, and the table of docs/load.md.</summary>
internal static class LoadTest
{
    private const string Model = "cnn";
    private const int Clients = 200;
    private static readonly TimeSpan Warming = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(30);

    public static async Task<int> RunAsync()
    {
        var manifest = await Helm.RenderAsync("tests/Rehearsal/load-values.yaml");
        var rendered = ScaledObjects.Of(manifest);
        var rows = new List<string>();
        foreach (var workers in (int?[])[1, 2, null])
        {
            await using var stage = await Stage.OpenAsync("load", manifest, rendered.Select(r => r.Hurried(Plan.Full.Factor, Plan.Full.Floor)).ToArray(), [Path.Combine(Repository.Root, "bench", "models", Model)]);
            var body = Path.Combine(stage.Folder, "request.json");
            await File.WriteAllTextAsync(body, Inference());
            foreach (var pace in Enum.GetValues<Pace>())
                rows.Add(await RowAsync(stage, body, workers, pace));
        }
        Page.Write("load.md", $"{Head()}\n{string.Join('\n', rows)}\n");
        return 0;
    }

    /// <summary>How the requests leave.</summary>
    private enum Pace
    {
        /// <summary>Each client's next one with the answer to the last: a closed loop, which is always full.</summary>
        Full,

        /// <summary>All in the same moment, each 2 s.</summary>
        Together,

        /// <summary>100 each second, at even distances, whatever became of those before: an open loop.</summary>
        Spread,
    }

    private static async Task<string> RowAsync(Stage stage, string body, int? workers, Pace pace)
    {
        var controller = stage.Controllers.Single();
        var url = $"{stage.Api.BaseAddress}v2/models/{Model}/infer";
        if (workers is { } fixedCount)
        {
            controller.Pool.ScaleTo(fixedCount);
            await Waiting.UntilAsync(async () => await controller.Pool.CountReadyAsync() == fixedCount, "the workers are ready", 60);
        }
        else if (!stage.Clock.IsRunning)
            await stage.BeginAsync();
        Task<LoadResult> LoadAsync(TimeSpan time) => pace == Pace.Spread ? OpenLoop.RunAsync(stage.Api, url, body, Clients / 2, time) : Hey.RunAsync(url, body, Clients, pace == Pace.Together ? 0.5 : 0, time);
        await LoadAsync(pace == Pace.Full ? Warming : Warming / 2); // both sides compile as they run, and the pool grows
        var (machine, before, seen) = (Cpu.Machine(), Times(stage, controller), controller.Decisions.Count);
        var pids = controller.Pool.Pids.ToArray();
        var clock = Stopwatch.StartNew();
        var result = await LoadAsync(Measured);
        var seconds = clock.Elapsed.TotalSeconds;
        var after = Times(stage, controller);
        var replicas = workers is not null ? [workers.Value] : controller.Decisions.Skip(seen).Select(d => d.To).Prepend(pids.Length).Distinct().Order().ToArray();
        double Share(string process) => 100 * (after[process] - before.GetValueOrDefault(process)).TotalSeconds / seconds;
        var all = 100 * (Cpu.Machine() - machine).TotalSeconds / seconds;
        var tool = 100 * result.Cpu.TotalSeconds / seconds;
        var others = Math.Max(0, all - tool - after.Keys.Sum(Share));
        var who = workers is null ? $"pool, {replicas[0]}{(replicas.Length > 1 ? $" to {replicas[^1]}" : "")}" : workers == 1 ? "1 worker" : $"{workers} workers";
        var how = pace switch { Pace.Full => "all they can", Pace.Together => "all at once, each 2 s", _ => "100/s, evenly" };
        var memory = controller.Pool.Pids.Select(Cpu.MemoryMiB).DefaultIfEmpty().Max();
        var row = string.Create(CultureInfo.InvariantCulture,
            $"| {who} | {how} | {result.PerSecond:0} | {result.P50:0} | **{result.P95:0}** | {result.P99:0} | {(result.NotOk.Count == 0 ? "none" : string.Join(", ", result.NotOk))} | {all / Environment.ProcessorCount:0} | {Share("api"):0} | {Share("workers"):0} | {Share("rabbitmq"):0} | {Share("postgres"):0} | {tool:0} | {others:0} | {Cpu.MemoryMiB(stage.Pids["api"]):0}, {memory:0} |");
        Console.WriteLine(row);
        return row;
    }

    private static Dictionary<string, TimeSpan> Times(Stage stage, Controller controller)
    {
        var times = stage.Pids.ToDictionary(p => p.Key, p => Cpu.OfFamily(p.Value));
        times["workers"] = controller.Pool.Spent;
        return times;
    }

    private static string Head() => string.Create(CultureInfo.InvariantCulture, $"""
        {TimeProvider.System.GetUtcNow():yyyy-MM-dd}; .NET {Environment.Version}; {Environment.ProcessorCount} cores ({Processor()}), {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1 << 30)} GiB; model `{Model}`; {Clients} clients; each row {Measured.TotalSeconds} s after {Warming.TotalSeconds} s or half of that of the same load.

        | Workers | Requests leave | Answers/s | P50 ms | P95 ms | P99 ms | Not 200 | Machine's CPU % | API | Workers | RabbitMQ | PostgreSQL | Load tool | Others | MiB of API, largest worker |
        |---|---|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|
        """);

    private static string Processor() => File.ReadLines("/proc/cpuinfo").First(l => l.StartsWith("model name", StringComparison.Ordinal)).Split(':')[1].Trim();

    private static string Inference()
    {
        var data = Enumerable.Range(0, 3 * 64 * 64).Select(i => Math.Round(i % 17 / 17.0, 4));
        return JsonSerializer.Serialize(Bodies.Infer(Bodies.Tensor("x", "FP32", [1, 3, 64, 64], data)));
    }
}
