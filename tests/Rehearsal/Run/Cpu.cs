using System.Globalization;

namespace Millrace.Rehearsal.Run;

/// <summary>Time of processor and memory by process, from /proc.</summary>
internal static class Cpu
{
    private const double TicksPerSecond = 100; // USER_HZ, the same on every Linux that .NET runs on

    /// <summary>User and system time so far of a process.</summary>
    public static TimeSpan Of(int pid)
    {
        try
        {
            var fields = Stat(pid);
            return TimeSpan.FromSeconds(fields[11..13].Sum(f => double.Parse(f, CultureInfo.InvariantCulture)) / TicksPerSecond);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { return TimeSpan.Zero; } // it has ended
    }

    /// <summary>The same of a process and all that descend from it.</summary>
    public static TimeSpan OfFamily(int pid) => TimeSpan.FromTicks(Family(pid).Sum(p => Of(p).Ticks));

    /// <summary>Memory of its own, in MiB: shared pages not counted.</summary>
    public static double MemoryMiB(int pid)
    {
        try
        {
            return File.ReadLines($"/proc/{pid}/status").Where(l => l.StartsWith("RssAnon:", StringComparison.Ordinal))
                .Select(l => double.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024).FirstOrDefault();
        }
        catch (IOException) { return 0; }
    }

    /// <summary>Time that all cores were not idle, and how many there are.</summary>
    public static TimeSpan Machine()
    {
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(f => double.Parse(f, CultureInfo.InvariantCulture)).ToArray();
        return TimeSpan.FromSeconds((fields[..8].Sum() - fields[3] - fields[4]) / TicksPerSecond);
    }

    private static IEnumerable<int> Family(int root)
    {
        var parents = Directory.GetDirectories("/proc").Select(Path.GetFileName).Where(n => int.TryParse(n, out _)).Select(n => int.Parse(n!, CultureInfo.InvariantCulture))
            .Select(pid => (Pid: pid, Parent: Parent(pid))).ToLookup(p => p.Parent, p => p.Pid);
        var all = new List<int> { root };
        for (var at = 0; at < all.Count; at++)
            all.AddRange(parents[all[at]]);
        return all;
    }

    private static int Parent(int pid)
    {
        try { return int.Parse(Stat(pid)[1], CultureInfo.InvariantCulture); }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { return 0; }
    }

    /// <summary>From the third field on; the second, the command's name, may hold spaces.</summary>
    private static string[] Stat(int pid)
    {
        var text = File.ReadAllText($"/proc/{pid}/stat");
        return text[(text.LastIndexOf(')') + 2)..].Split(' ');
    }
}
