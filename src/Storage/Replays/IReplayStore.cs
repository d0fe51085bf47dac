using Millrace.Storage.Audit;
using Millrace.Storage.Jobs;

namespace Millrace.Storage.Replays;

/// <summary>Failed jobs in groups, and jobs that are made again from what was kept of others.</summary>
public interface IReplayStore
{
    /// <summary>Failed jobs by fingerprint, the last seen first, then by fingerprint; one more than <paramref name="limit"/> tells that there is a next page.</summary>
    /// <param name="filter">Its states, order, place and limit are not looked at.</param>
    /// <param name="after">The last group of the page before, or null for the first page.</param>
    Task<IReadOnlyList<FailureGroup>> ListFailuresAsync(
        JobFilter filter, (DateTimeOffset LastSeen, string Fingerprint)? after, int limit, CancellationToken cancellation);

    /// <summary>Makes a new job from a final one, with its input, in one transaction. The source stays as it is.</summary>
    Task<ReplayOutcome> ReplayAsync(string tenant, JobId source, ReplaySettings settings, CancellationToken cancellation);

    /// <summary>What a bulk replay of this filter would make. Writes nothing.</summary>
    Task<ReplayPlan> PlanAsync(JobFilter filter, int maxJobs, CancellationToken cancellation);

    /// <summary>Fixes the set of sources and stores the order, in one transaction.</summary>
    Task<BulkOutcome> AddBulkAsync(NewBulkReplay replay, CancellationToken cancellation);

    Task<BulkReplay?> ReadBulkAsync(string tenant, JobId id, CancellationToken cancellation);

    /// <summary>No further jobs are made; those made stay. Null when unknown.</summary>
    Task<BulkReplay?> CancelBulkAsync(string tenant, JobId id, AuditEntry audit, CancellationToken cancellation);

    /// <summary>Replays with sources left, of all tenants, that may make a job now as far as their rate is concerned.</summary>
    Task<IReadOnlyList<DueReplay>> DueBulksAsync(CancellationToken cancellation);

    /// <summary>Makes the next jobs of a bulk replay, as many as its rate allows, each with the mark of its source in one transaction; a source is never made twice.
    /// Safe from many processes at once: one at a time works on a replay.</summary>
    /// <param name="version">The version for the source's model when the source did not name one; null when no version is ready: that source is marked failed.</param>
    /// <returns>The new jobs; those that were dispatched are owed a ticket.</returns>
    Task<IReadOnlyList<AddOutcome.Added>> StepBulkAsync(JobId id, Func<string, string?> version, int atMost, CancellationToken cancellation);
}

/// <param name="Code">Of the error of the last seen one, as the message.</param>
/// <param name="Example">The job that failed last.</param>
public sealed record FailureGroup(
    string Fingerprint, string Model, string ModelVersion, string Code, string Message, long Count, DateTimeOffset FirstSeen, DateTimeOffset LastSeen, JobId Example);

/// <summary>What the new job has otherwise than its source; null takes the source's.</summary>
public sealed record ReplaySettings
{
    /// <summary>The version that the new job is pinned to, unless the source named one itself and <see cref="OverrideVersion"/> is false.</summary>
    public required string ModelVersion { get; init; }

    /// <summary>The caller named the version.</summary>
    public bool OverrideVersion { get; init; }
    public int? Priority { get; init; }
    public TimeSpan? Timeout { get; init; }
    public TimeSpan? ExpiresIn { get; init; }
    public string? TraceParent { get; init; }
    public string? TraceState { get; init; }
    public IdempotencyKey? Key { get; init; }

    /// <summary>Written with the new job; null for the jobs of a bulk replay, whose order has its own.</summary>
    public AuditEntry? Audit { get; init; }
}

/// <summary>What became of a replay.</summary>
public abstract record ReplayOutcome
{
    private ReplayOutcome() { } // closed: every outcome stands below

    /// <summary>As for a submission.</summary>
    public sealed record Made(AddOutcome Outcome) : ReplayOutcome;

    public sealed record Unknown : ReplayOutcome;

    public sealed record NotFinal : ReplayOutcome;

    /// <summary>The input is not kept any more.</summary>
    public sealed record InputExpired : ReplayOutcome;
}

/// <param name="Matched">Jobs that the filter finds, at most so many as asked for; oldest first.</param>
/// <param name="Plan">A hash of the matched ids: it changes when the set does.</param>
/// <param name="Sample">Up to 20 of the replayable.</param>
public sealed record ReplayPlan(int Matched, int Replayable, int InputExpired, int NotFinished, IReadOnlyList<JobId> Sample, string Plan);

public sealed record NewBulkReplay
{
    public required JobFilter Filter { get; init; }
    public required int MaxJobs { get; init; }

    /// <summary>Jobs a second; null for as fast as it goes.</summary>
    public double? RatePerSecond { get; init; }

    /// <summary>What a dry run said; null takes whatever matches now.</summary>
    public string? Plan { get; init; }

    /// <summary>Pins every new job to this version of its model; null lets the source or the newest decide.</summary>
    public string? ModelVersion { get; init; }
    public int? Priority { get; init; }
    public TimeSpan? Timeout { get; init; }
    public TimeSpan? ExpiresIn { get; init; }
    public IdempotencyKey? Key { get; init; }
    public required AuditEntry Audit { get; init; }
}

/// <summary>What became of an order for a bulk replay.</summary>
public abstract record BulkOutcome
{
    private BulkOutcome() { } // closed: every outcome stands below

    public sealed record Added(BulkReplay Replay) : BulkOutcome;

    /// <summary>The key made this one before; nothing was stored.</summary>
    public sealed record Repeated(BulkReplay Replay) : BulkOutcome;

    /// <summary>The key was used for another body.</summary>
    public sealed record KeyReused : BulkOutcome;

    /// <summary>The set that matches is not the one of <see cref="NewBulkReplay.Plan"/> any more.</summary>
    public sealed record PlanChanged : BulkOutcome;
}

/// <summary>A bulk replay and how far it is.</summary>
/// <param name="Id">Written as <c>replay_</c> and the letters of a job's id.</param>
/// <param name="Skipped">Sources whose input is gone, or that were not final.</param>
/// <param name="Failed">Sources whose model has no ready version.</param>
public sealed record BulkReplay(
    JobId Id, string Tenant, BulkReplayState State, int Matched, int Created, int Skipped, int Failed, double? RatePerSecond,
    DateTimeOffset CreatedAt, DateTimeOffset? FinishedAt);

/// <summary>A bulk replay that is to be gone on with.</summary>
public sealed record DueReplay(JobId Id, double? RatePerSecond);

/// <summary>The numbers are stored: never renumber.</summary>
public enum BulkReplayState
{
    Running = 0,
    Finished = 1,
    Canceled = 2,
}
