namespace Millrace.Api.Reconciliation;

/// <summary>The repair loop.</summary>
public sealed class ReconcilerOptions
{
    /// <summary>How often it looks. 10 ms to 1 min.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>A dispatched job that has waited this long is counted against the tickets in the queue. 100 ms to 1 h.</summary>
    public TimeSpan RedispatchAfter { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a job's row is kept after its end; never shorter than its <c>result_ttl</c>. 1 min to 3,650 days.</summary>
    public TimeSpan KeepJobs { get; set; } = TimeSpan.FromDays(7);
}
