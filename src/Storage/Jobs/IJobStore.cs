namespace Millrace.Storage.Jobs;

/// <summary>What the API does with jobs. Another tenant's job is as unknown as one that never was.</summary>
/// <exception cref="StoreUnavailableException">The store can't be reached or can't write; whether a write happened is then unknown.</exception>
public interface IJobStore
{
    /// <summary>Stores a job with its input and its key in one transaction, and marks it dispatched while its model's window has room. Durable when it returns.</summary>
    Task<AddOutcome> AddAsync(NewJob job, CancellationToken cancellation);

    /// <summary>What a key made before; null when it made nothing.</summary>
    Task<AddOutcome?> RecallAsync(string tenant, IdempotencyKey key, CancellationToken cancellation);

    Task<Job?> ReadAsync(string tenant, JobId id, CancellationToken cancellation);

    Task<JobDetails?> ReadDetailsAsync(string tenant, JobId id, CancellationToken cancellation);

    /// <summary>The encoded response of a succeeded job; null when there is none (any more).</summary>
    Task<ReadOnlyMemory<byte>?> ReadResultAsync(string tenant, JobId id, CancellationToken cancellation);

    /// <summary>Cancels what is not final. The fence rises, so that a result under way is dropped.</summary>
    Task<CancelOutcome?> CancelAsync(string tenant, JobId id, string reason, CancellationToken cancellation);

    /// <summary>Deletes a final job with all that belongs to it; its key stays until its time is up. Null when unknown.</summary>
    Task<DeleteOutcome?> DeleteAsync(string tenant, JobId id, CancellationToken cancellation);

    /// <summary>One page in the order of (created_at, id); one more than <see cref="JobFilter.Limit"/> tells that there is a next page.</summary>
    Task<IReadOnlyList<Job>> ListAsync(JobFilter filter, CancellationToken cancellation);

    /// <summary>A row for each model and tenant with queued or running jobs.</summary>
    Task<IReadOnlyList<QueueDepth>> ReadQueuesAsync(string? model, CancellationToken cancellation);
}

/// <param name="Changed">False: it was canceled already, or had ended otherwise.</param>
/// <param name="WasRunning">A worker should be told to stop.</param>
public sealed record CancelOutcome(Job Job, bool Changed, bool WasRunning);

public enum DeleteOutcome
{
    Deleted,
    NotFinal,
}

/// <param name="Queued">Jobs that wait, those for a later time included.</param>
/// <param name="Oldest">When the oldest of the queued was accepted.</param>
/// <param name="WaitsFor">How long the one has waited that could start first; null when none could start now.</param>
public sealed record QueueDepth(string Model, string Tenant, long Queued, long Running, DateTimeOffset? Oldest, TimeSpan? WaitsFor);

/// <summary>Which jobs a list shows; what is null does not filter.</summary>
public sealed record JobFilter
{
    public required string Tenant { get; init; }
    public IReadOnlyList<JobState> States { get; init; } = [];
    public string? Model { get; init; }
    public int? Priority { get; init; }
    public DateTimeOffset? CreatedAfter { get; init; }
    public DateTimeOffset? CreatedBefore { get; init; }
    public JobId? ReplayOf { get; init; }
    public string? Fingerprint { get; init; }
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();
    public bool Ascending { get; init; }

    /// <summary>The last row of the page before, or null for the first page.</summary>
    public (DateTimeOffset CreatedAt, JobId Id)? After { get; init; }
    public required int Limit { get; init; }
}
