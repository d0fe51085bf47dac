namespace Millrace.Rehearsal.Report;

internal static class Statistics
{
    /// <summary>The smallest value that so many of all do not pass; NaN of none.</summary>
    public static double Percentile(IEnumerable<double> values, double share)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];
    }

    /// <summary>The same of each stretch of time, at its middle; none where nothing happened.</summary>
    public static IEnumerable<(double At, double Value)> Over(IEnumerable<(TimeSpan At, TimeSpan Value)> values, double share, double seconds) =>
        values.GroupBy(v => Math.Floor(v.At.TotalSeconds / seconds)).OrderBy(g => g.Key).Select(g => ((g.Key + 0.5) * seconds, Percentile(g.Select(v => v.Value.TotalSeconds), share)));
}
