namespace Millrace.Worker;

/// <summary>How a worker runs jobs.</summary>
public sealed class WorkerOptions
{
    /// <summary>How long a claim lasts without renewal. It is renewed every third of it. Shorter finds dead workers sooner. 1 s to 1 h.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Upper end of the wait before the second attempt. It doubles with each further one; the wait is drawn from 0 to it. 0 to 1 h.</summary>
    public TimeSpan Backoff { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>What the upper end stops doubling at. 0 to 1 day.</summary>
    public TimeSpan LongestBackoff { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Load the models, so that it is known that this version can, and then announce and consume nothing: the version before, kept at hand beside a new one.</summary>
    public bool Standby { get; set; }

    /// <summary>Gets a line before and after each run. For tests and the curious. Empty: none. A file in a folder that exists.</summary>
    public string RunLedger { get; set; } = "";
}
