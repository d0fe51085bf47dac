namespace Millrace.Messages;

/// <summary>These jobs of a model reached a final state. Fanned out to whoever waits; losing it costs a waiter time, since each re-reads the store.</summary>
public sealed record JobsFinished
{
    public required string Model { get; init; }
    public required IReadOnlyList<Guid> JobIds { get; init; }

    /// <summary>They were run to their end; false when they left the queue otherwise, which says nothing of how fast it is served.</summary>
    public bool ByRun { get; init; }
}
