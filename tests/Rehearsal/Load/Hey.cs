using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Millrace.Rehearsal.Run;

namespace Millrace.Rehearsal.Load;

/// <summary>hey (of Debian): so many clients, each of which sends its next request when it has its answer.</summary>
internal static partial class Hey
{
    /// <param name="perSecond">Of each client, at most; 0: as fast as answers come.</param>
    public static async Task<LoadResult> RunAsync(string url, string body, int clients, double perSecond, TimeSpan time)
    {
        var start = new ProcessStartInfo("hey") { RedirectStandardOutput = true };
        foreach (var argument in (string[])["-c", Text(clients), "-z", $"{Text((int)time.TotalSeconds)}s", "-m", "POST", "-T", "application/json", "-D", body, "-disable-compression", "-t", "60", .. perSecond > 0 ? ["-q", Text(perSecond)] : (string[])[], url])
            start.ArgumentList.Add(argument);
        start.Environment["no_proxy"] = "*";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var cpu = TimeSpan.Zero;
        while (!process.HasExited) // the system forgets it with the process
        {
            cpu = Cpu.Of(process.Id) is var seen && seen > cpu ? seen : cpu;
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
        return Read(await output, cpu);
    }

    private static LoadResult Read(string text, TimeSpan cpu)
    {
        double Value(Regex pattern) => pattern.Match(text) is { Success: true } match ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : double.NaN;
        var statuses = Status().Matches(text).Select(m => (Code: m.Groups[1].Value, Count: double.Parse(m.Groups[2].Value, CultureInfo.InvariantCulture))).ToArray();
        var errors = Error().Matches(text).Sum(m => double.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture));
        var bad = statuses.Where(s => s.Code != "200").ToArray();
        string[] notOk = [.. bad.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Count:N0} x {s.Code}")), .. errors > 0 ? [string.Create(CultureInfo.InvariantCulture, $"{errors:N0} without an answer")] : (string[])[]];
        return new LoadResult(Value(Rate()), 1000 * Value(Median()), 1000 * Value(Ninetyfifth()), 1000 * Value(Ninetyninth()), notOk, cpu);
    }

    private static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex Rate();

    [GeneratedRegex(@"50% in ([\d.]+) secs")]
    private static partial Regex Median();

    [GeneratedRegex(@"95% in ([\d.]+) secs")]
    private static partial Regex Ninetyfifth();

    [GeneratedRegex(@"99% in ([\d.]+) secs")]
    private static partial Regex Ninetyninth();

    [GeneratedRegex(@"\[(\d{3})\]\s+(\d+) responses")]
    private static partial Regex Status();

    [GeneratedRegex(@"^\s+\[(\d+)\]\s+(?:Post|Get|net|read|EOF)", RegexOptions.Multiline)]
    private static partial Regex Error();
}
