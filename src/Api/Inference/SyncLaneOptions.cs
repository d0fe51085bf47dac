namespace Millrace.Api.Inference;

/// <summary>The sync lane: requests answered on the same connection.</summary>
public sealed class SyncLaneOptions
{
    /// <summary>Deadline of a request that names none, and the most that one may name. 1 ms to 60 s.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Messages out per model before requests wait to leave together. 0: twice the runs that its workers make at once, at least 2. 0 to 1,000.</summary>
    public int Outstanding { get; set; }

    /// <summary>The longest that a request waits for company while messages are out. 1 ms to 10 s.</summary>
    public TimeSpan LongestWait { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Most requests in one message. 1 to 1,024.</summary>
    public int PackRequests { get; set; } = 64;

    /// <summary>A message is full when it passes this. 1,024 to 1,073,741,824.</summary>
    public long PackBytes { get; set; } = 1 << 20;

    /// <summary>Requests of one model in work or waiting before more are refused with 503 <c>queue_full</c>. 1 to 1,000,000.</summary>
    public int MaxRequests { get; set; } = 2000;

    /// <summary>A request that would wait longer, by the pace at which this replica's are answered, gets 503 <c>queue_full</c> at once; so those that are taken stay fast in an overload.
    /// 0: only one that would wait longer than its own timeout. Up to 60 s.</summary>
    public TimeSpan MaxWait { get; set; }
}
