using Millrace.Storage.Jobs;

namespace Millrace.Storage.Audit;

/// <summary>Who did what with the installation: keys, queues, replays. Each record is committed with what it tells of.</summary>
public interface IAuditStore
{
    /// <summary>For what changes nothing else: a refusal.</summary>
    Task AddAsync(AuditEntry entry, CancellationToken cancellation);

    /// <summary>The newest first; one more than <paramref name="limit"/> tells that there is a next page.</summary>
    /// <param name="before">The last record of the page before, or null for the first page.</param>
    Task<IReadOnlyList<AuditRecord>> ListAsync(JobId? before, int limit, CancellationToken cancellation);
}

/// <param name="Actor">The key's id, <c>jwt:</c> and the subject, <c>open</c> where no keys are, <c>cli</c> at the command line.</param>
/// <param name="Action">As <c>key.create</c>.</param>
/// <param name="Target">What it was done to.</param>
/// <param name="RequestId">Null at the command line.</param>
public sealed record AuditEntry(string Actor, string Tenant, string Action, string Target, string? RequestId)
{
    public AuditOutcome Outcome { get; init; } = AuditOutcome.Done;

    /// <summary>What else belongs to it, in a few words.</summary>
    public string Detail { get; init; } = "";
}

/// <summary>The numbers are stored: never renumber.</summary>
public enum AuditOutcome
{
    Done = 0,
    Refused = 1,
}

/// <param name="Id">Ordered by time; written as <c>audit_</c> and the letters of a job's id.</param>
public sealed record AuditRecord(JobId Id, DateTimeOffset At, AuditEntry Entry);
