namespace Millrace.Storage.Jobs;

/// <summary>What a worker does with jobs. Every write is guarded by the fence of the claim.</summary>
public interface IClaimStore
{
    /// <summary>Starts an attempt of as many due, dispatched jobs as there are tickets, for each tenant among the tickets, by priority, then age.</summary>
    /// <param name="tickets">Ids of jobs of one model; those that need no run any more bring nothing.</param>
    Task<IReadOnlyList<ClaimedJob>> ClaimAsync(
        string model, IReadOnlyList<Guid> tickets, string worker, TimeSpan lease, CancellationToken cancellation);

    /// <summary>Writes ends of attempts, all in one transaction.</summary>
    Task<IReadOnlyList<FinishOutcome>> FinishAsync(IReadOnlyList<AttemptEnd> ends, CancellationToken cancellation);

    /// <summary>Extends leases; returns the ids whose fence is not the job's any more: their runs must stop.</summary>
    Task<IReadOnlyList<JobId>> RenewAsync(IReadOnlyList<(JobId Id, Fence Fence)> claims, TimeSpan lease, CancellationToken cancellation);
}

/// <summary>What an attempt's end did to its job.</summary>
public enum FinishOutcome
{
    /// <summary>The fence was not the job's any more: nothing was written.</summary>
    Dropped,

    /// <summary>The job is final.</summary>
    Ended,

    /// <summary>The job waits for another attempt.</summary>
    Requeued,
}

/// <summary>Grows with each claim, cancel and lost lease; a write with an older one changes nothing.</summary>
public readonly record struct Fence(long Value);

/// <param name="Input">The encoded inference request.</param>
/// <param name="Alone">An earlier attempt took its worker down, so this one shares no batch.</param>
/// <param name="Waited">Since this attempt could have begun.</param>
/// <param name="TraceParent">W3C trace context of the submission.</param>
public sealed record ClaimedJob(
    JobId Id, Fence Fence, int Attempt, string ModelVersion, int Priority, TimeSpan Timeout, bool Alone, ReadOnlyMemory<byte> Input, TimeSpan Waited, string? TraceParent, string? TraceState);

/// <summary>How an attempt ended.</summary>
public abstract record AttemptEnd(JobId Id, Fence Fence)
{
    public sealed record Succeeded(JobId Id, Fence Fence, ReadOnlyMemory<byte> Result) : AttemptEnd(Id, Fence);

    /// <param name="Backoff">When retryable and attempts are left: how long to wait for the next.</param>
    /// <param name="Fingerprint">By which failures of one kind are found together.</param>
    public sealed record Failed(JobId Id, Fence Fence, JobError Error, TimeSpan Backoff, string Fingerprint) : AttemptEnd(Id, Fence);

    /// <summary>Handed back unrun or unfinished by a worker that leaves in order: the attempt is not charged.</summary>
    public sealed record GivenBack(JobId Id, Fence Fence) : AttemptEnd(Id, Fence);
}
