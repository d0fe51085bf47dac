namespace Millrace.Api.Inference;

/// <summary>The sync lane: requests answered on the same connection.</summary>
public sealed class SyncLaneOptions
{
    /// <summary>Deadline of a request that names none. Default 60 s, which is also the most; least 1 ms.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Messages out per model before requests wait to leave together. Default 0: twice the runs that its workers make at once, at least 2. 0 to 1,000.</summary>
    public int Outstanding { get; set; }

    /// <summary>The longest that a request waits for company while messages are out. Default 100 ms; 1 ms to 10 s.</summary>
    public TimeSpan LongestWait { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Most requests in one message. Default 64; 1 to 1,024.</summary>
    public int PackRequests { get; set; } = 64;

    /// <summary>A message is full when it passes this. Default 1 MiB; 1 KiB to 1 GiB.</summary>
    public long PackBytes { get; set; } = 1 << 20;

    /// <summary>Requests of one model in work or waiting before more are refused. Default 2,000; 1 to 1,000,000.</summary>
    public int MaxRequests { get; set; } = 2000;
}
