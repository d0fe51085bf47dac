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

    /// <summary>Bytes of inputs of jobs that are claimed at once, for each version; of large inputs a worker claims fewer jobs, but always one. 1 MiB to 1 TiB.</summary>
    public long MaxClaimedBytes { get; set; } = 256 << 20;

    /// <summary>Bytes that the runs of all models may take together, beside the models' own weights; a run that would take more fails as <c>out_of_memory</c>, and nothing else does. -1: half of the memory that the
    /// process may have, at most 4 GiB. 0: no limit. -1 to 4,294,967,295.</summary>
    public long MaxRunBytes { get; set; } = -1;

    /// <summary>Load the models, so that it is known that this version can, and then announce and consume nothing: the version before, kept at hand beside a new one.</summary>
    public bool Standby { get; set; }

    /// <summary>Gets a line before and after each run. For tests and the curious. Empty: none. A file in a folder that exists.</summary>
    public string RunLedger { get; set; } = "";
}
