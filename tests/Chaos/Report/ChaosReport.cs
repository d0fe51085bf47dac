using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Millrace.Tests.Support;

namespace Millrace.Chaos.Report;

/// <summary>Runs the crash matrix so many times and writes docs/chaos-report.md from what it recorded.</summary>
internal static class ChaosReport
{
    /// <summary>What the list of experiments has and no command here runs, and why.</summary>
    private static readonly (string Experiments, string Why)[] NotRun =
    [
        ("E05, E31", "webhooks are not built"),
        ("E07, E08, E14, E35", "one broker node of one version; no cluster was at hand"),
        ("E13, E15, E16, E30, E36", "needs partitions, slow links or frozen servers between processes: no proxy for them yet but the one that cuts commits"),
        ("E17, E18, E22, E23", "full disks, alarms, memory limits, moved clocks: not built yet"),
        ("E19, E20, E27, E28", "covered in part by tests/Storage.Tests and tests/EndToEnd.Tests/Distributed, not as experiments with a history"),
        ("E21, E25, E26, E29, E32, E33, E34", "not built yet as experiments (E21: tests/EndToEnd.Tests/PoisonTests; E26: tests/Api.Tests/Models/HotSwapTests; E33: tests/EndToEnd.Tests/KillTests and TerminateTests for one process)"),
    ];

    public static async Task<int> RunAsync(int times)
    {
        var records = Path.GetTempFileName();
        var failed = 0;
        for (var at = 0; at < times; at++)
        {
            Console.WriteLine($"== run {at + 1} of {times}");
            failed += await RunOnceAsync(records) == 0 ? 0 : 1;
        }
        var all = (await File.ReadAllLinesAsync(records)).Select(l => JsonSerializer.Deserialize<Record>(l)!).ToArray();
        File.Delete(records);
        var report = Write(all, times, failed);
        await File.WriteAllTextAsync(Path.Combine(Repository.Root, "docs", "chaos-report.md"), report);
        Console.WriteLine(report);
        return failed == 0 && all.All(r => r.Violations.Count == 0) ? 0 : 1;
    }

    private static async Task<int> RunOnceAsync(string records)
    {
        var start = new ProcessStartInfo(Path.Combine(Repository.Root, "artifacts", "bin", "Chaos.Tests", "release", "Millrace.Chaos.Tests")) { WorkingDirectory = Repository.Root };
        foreach (var argument in (string[])["-noColor", "-class", "*CrashMatrixTests"])
            start.ArgumentList.Add(argument);
        start.Environment[Record.FileVariable] = records;
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    private static string Write(Record[] all, int times, int failed)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            # Chaos report

            Written by `make chaos ARGS="--repeat {times}"`, never by hand. {TimeProvider.System.GetUtcNow():yyyy-MM-dd}, .NET {Environment.Version}, {Environment.ProcessorCount} cores; RabbitMQ and PostgreSQL from Debian's packages, one node each.

            Each run is real processes (one or two APIs, one or two workers) under load, of which one dies by SIGKILL, or is stopped, at a named step, or whose commits lose their answers. A run counts only if its fault bit: the
            process was seen to die by it. Afterwards everything must end, and the history is judged: what clients were told, what a trigger in the database saw of every row, and which runs the workers' ledgers have.

            {times} repetitions of the matrix, {failed} of them with a run that failed or whose fault did not bite. "3/n" is the failure rate below which, with 95 % confidence, the true one lies when none of n runs failed.

            | Experiment | Runs | Invalid | Accepted | Lost | Recovered | Unexpected | Duplicated | Runs beyond one a job | 3/n |
            |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|

            """);
        foreach (var group in all.GroupBy(r => r.Experiment).OrderBy(g => g.Key, StringComparer.Ordinal).Append(new Total(all)))
        {
            var rows = group.ToArray();
            text.Append(CultureInfo.InvariantCulture, $"| {group.Key} | {rows.Length} | {rows.Count(r => r.Violations.Count > 0)} | {rows.Sum(r => r.Counts.Accepted)} | {rows.Sum(r => r.Counts.Lost)} | {rows.Sum(r => r.Counts.Recovered)} | {rows.Sum(r => r.Counts.Unexpected)} | {rows.Sum(r => r.Counts.Duplicated)} | {rows.Sum(r => r.Counts.ExtraRuns)} | {3.0 / Math.Max(1, rows.Length):0.###} |\n");
        }
        text.Append("\n*Recovered*: an answer did not come, and after the repeats with the same key the job is stored, once. Executions do repeat after a death, and only one has a visible result.\n\n## Violations\n\n");
        var violations = all.SelectMany(r => r.Violations.Select(v => $"- {r.Experiment}: {v.Invariant}: {v.What}")).ToArray();
        text.Append(violations.Length == 0 ? "None.\n" : string.Join('\n', violations) + "\n");
        text.Append("\n## Not run\n\n| Experiments | Why |\n|---|---|\n");
        foreach (var (experiments, why) in NotRun)
            text.Append(CultureInfo.InvariantCulture, $"| {experiments} | {why} |\n");
        text.Append("\nKill -9 is not a loss of power: what a machine keeps then is PostgreSQL's to promise, and is checked at start (`Millrace:Store:AllowNotDurable`). PostgreSQL is the boundary of what lasts.\n");
        return text.ToString();
    }

    private sealed class Total(Record[] all) : IGrouping<string, Record>
    {
        public string Key => "**All**";

        public IEnumerator<Record> GetEnumerator() => all.AsEnumerable().GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
