namespace Millrace.Worker;

/// <summary>How a worker runs jobs.</summary>
public sealed class WorkerOptions
{
    /// <summary>How long a claim lasts without renewal. Default 30 s; 1 s to 1 h. It is renewed every third of it; shorter finds dead workers sooner.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The upper end of the wait before the second attempt; it doubles with each further one, and the wait is drawn from 0 to it. Default 1 s; 0 to 1 h.</summary>
    public TimeSpan Backoff { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>What the upper end stops doubling at. Default 60 s; 0 to 1 day.</summary>
    public TimeSpan LongestBackoff { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>A file that gets a line before and after each run. Default empty: none.</summary>
    public string RunLedger { get; set; } = "";
}
