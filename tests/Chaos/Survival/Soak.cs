using System.Diagnostics;
using System.Globalization;
using Millrace.Tests.Support;

namespace Millrace.Chaos.Survival;

/// <summary>Many jobs in a calm run: what each costs the broker in messages, and how the memory of all processes goes.</summary>
internal static class Soak
{
    private const int Parts = 10;
    private const string MetricsPort = "15690";

    public static async Task<int> RunAsync(Options options)
    {
        var jobs = options.Jobs > 0 ? options.Jobs : 200_000;
        var stack = new Stack(1, 1, ("LOGGING__LOGLEVEL__DEFAULT", "Warning"), ("BROKER_METRICS_PORT", MetricsPort));
        try
        {
            await stack.UpAsync();
            await using var witness = new Witness(stack.StoreUrl);
            await witness.ExecuteAsync("TRUNCATE jobs, job_inputs, job_results, job_attempts, idempotency_keys", CancellationToken.None);
            var before = await PublishedAsync();
            Console.WriteLine($"{"jobs",8} {"jobs/s",8}   MiB: {string.Join("  ", stack.Processes.Keys)}");
            var clock = Stopwatch.StartNew();
            for (var part = 1; part <= Parts; part++)
            {
                var load = new DigitsLoad(stack.Apis());
                var began = clock.Elapsed;
                await load.SubmitAsync(jobs / Parts, options.Submitters, CancellationToken.None);
                await Waiting.UntilAsync(async () => await witness.CountAsync("SELECT count(*) FROM jobs WHERE state IN (0, 1)", CancellationToken.None) == 0, "all jobs have ended", 1800);
                var rate = jobs / Parts / (clock.Elapsed - began).TotalSeconds;
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{jobs / Parts * part,8} {rate,8:0}   {string.Join("  ", stack.Processes.Values.Select(p => Mebibytes(p.Pid)))}"));
            }
            var attempts = await witness.CountAsync("SELECT sum(attempt) FROM jobs", CancellationToken.None);
            var messages = await PublishedAsync() - before;
            var left = await Survive.TicketsAsync(stack);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{messages} tickets for {attempts} attempts: {messages / (double)attempts:0.0000} an attempt; {left} left in the queue"));
            return messages <= attempts * 1.05 && left == 0 ? 0 : 1;
        }
        finally { await stack.DownAsync(); }
    }

    /// <summary>Resident, of the process and, for servers with one process for each connection, of its children without what they share.</summary>
    private static long Mebibytes(int pid) => Tree(pid).Sum(p => Proportional(p)) >> 10;

    private static IEnumerable<int> Tree(int pid) => Directory.GetDirectories("/proc").Select(Path.GetFileName).Where(n => n!.All(char.IsAsciiDigit)).Select(n => int.Parse(n!, CultureInfo.InvariantCulture))
        .Where(p => p == pid || Parent(p) == pid);

    private static int Parent(int pid)
    {
        try { return int.Parse(File.ReadAllText($"/proc/{pid}/stat").Split(')')[^1].Split(' ')[2], CultureInfo.InvariantCulture); }
        catch (IOException) { return 0; } // it ended meanwhile
    }

    private static long Proportional(int pid)
    {
        try
        {
            return File.ReadLines($"/proc/{pid}/smaps_rollup").Where(l => l.StartsWith("Pss:", StringComparison.Ordinal))
                .Select(l => long.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)).FirstOrDefault();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { return 0; }
    }

    /// <summary>What the broker itself counted as published to the queue of tickets. It renews its counters every five seconds.</summary>
    private static async Task<long> PublishedAsync()
    {
        using var client = new HttpClient();
        long last = -1;
        while (true)
        {
            var text = await client.GetStringAsync($"http://127.0.0.1:{MetricsPort}/metrics/per-object");
            var now = text.Split('\n').Where(l => l.StartsWith("rabbitmq_queue_messages_published_total{", StringComparison.Ordinal) && l.Contains("queue=\"jobs.digits\"", StringComparison.Ordinal))
                .Sum(l => (long)double.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
            if (now == last)
                return now;
            last = now;
            await Task.Delay(TimeSpan.FromSeconds(7), TimeProvider.System, CancellationToken.None);
        }
    }
}
