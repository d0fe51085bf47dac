using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Millrace.Rehearsal.Chart;
using Millrace.Rehearsal.Report;
using Millrace.Rehearsal.Run;
using Millrace.Rehearsal.Scaling;
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
            foreach (var perSecond in (double[])[0, 0.5])
                rows.Add(await RowAsync(stage, body, workers, perSecond));
        }
        Page.Write("load.md", $"{Head()}\n{string.Join('\n', rows)}\n");
        return 0;
    }

    private static async Task<string> RowAsync(Stage stage, string body, int? workers, double perSecond)
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
        await Hey.RunAsync(url, body, Clients, perSecond, Warming); // both sides compile as they run, and the pool grows
        var (machine, before, seen) = (Cpu.Machine(), Times(stage, controller), controller.Decisions.Count);
        var pids = controller.Pool.Pids.ToArray();
        var clock = Stopwatch.StartNew();
        var result = await Hey.RunAsync(url, body, Clients, perSecond, Measured);
        var seconds = clock.Elapsed.TotalSeconds;
        var after = Times(stage, controller);
        var replicas = workers is not null ? [workers.Value] : controller.Decisions.Skip(seen).Select(d => d.To).Prepend(pids.Length).Distinct().Order().ToArray();
        string Share(string process) => string.Create(CultureInfo.InvariantCulture, $"{100 * (after[process] - before.GetValueOrDefault(process)).TotalSeconds / seconds:0}");
        var who = workers is null ? $"pool, {replicas[0]}{(replicas.Length > 1 ? $" to {replicas[^1]}" : "")}" : workers == 1 ? "1 worker" : $"{workers} workers";
        var memory = controller.Pool.Pids.Select(Cpu.MemoryMiB).DefaultIfEmpty().Max();
        var row = string.Create(CultureInfo.InvariantCulture,
            $"| {who} | {(perSecond > 0 ? $"{Clients * perSecond:0}/s" : "all they can")} | {result.PerSecond:0} | {result.P50:0} | **{result.P95:0}** | {result.P99:0} | {(result.NotOk.Count == 0 ? "none" : string.Join(", ", result.NotOk))} | {100 * (Cpu.Machine() - machine).TotalSeconds / seconds / Environment.ProcessorCount:0} | {Share("api")} | {Share("workers")} | {Share("rabbitmq")} | {Share("postgres")} | {100 * result.Cpu.TotalSeconds / seconds:0} | {Cpu.MemoryMiB(stage.Pids["api"]):0}, {memory:0} |");
        Console.WriteLine(row);
        return row;
    }

    private static Dictionary<string, TimeSpan> Times(Stage stage, Controller controller)
    {
        var times = stage.Pids.ToDictionary(p => p.Key, p => Cpu.OfFamily(p.Value));
        times["workers"] = TimeSpan.FromTicks(controller.Pool.Pids.Sum(p => Cpu.Of(p).Ticks));
        return times;
    }

    private static string Head() => string.Create(CultureInfo.InvariantCulture, $"""
        {TimeProvider.System.GetUtcNow():yyyy-MM-dd}; .NET {Environment.Version}; {Environment.ProcessorCount} cores ({Processor()}), {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1 << 30)} GiB; model `{Model}`; {Clients} clients; each row {Measured.TotalSeconds} s after {Warming.TotalSeconds} s of the same load.

        | Workers | Asked for | Answers/s | P50 ms | P95 ms | P99 ms | Not 200 | Machine's CPU % | API | Workers | RabbitMQ | PostgreSQL | hey | MiB of API, largest worker |
        |---|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|
        """);

    private static string Processor() => File.ReadLines("/proc/cpuinfo").First(l => l.StartsWith("model name", StringComparison.Ordinal)).Split(':')[1].Trim();

    private static string Inference()
    {
        var data = Enumerable.Range(0, 3 * 64 * 64).Select(i => Math.Round(i % 17 / 17.0, 4));
        return JsonSerializer.Serialize(Bodies.Infer(Bodies.Tensor("x", "FP32", [1, 3, 64, 64], data)));
    }
}
