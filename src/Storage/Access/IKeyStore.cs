using Millrace.Storage.Audit;

namespace Millrace.Storage.Access;

/// <summary>The keys that callers show. A revoked one stays, so that an installation with keys never becomes one without.</summary>
/// <exception cref="StoreUnavailableException">The store can't be reached or can't write.</exception>
public interface IKeyStore
{
    /// <summary>Stores the key and its audit record in one transaction.</summary>
    Task<ApiKey> AddAsync(NewApiKey key, AuditEntry audit, CancellationToken cancellation);

    /// <summary>Revokes the key and writes the audit record, also of a refusal, in one transaction.</summary>
    Task<RevokeOutcome> RevokeAsync(string id, AuditEntry audit, CancellationToken cancellation);

    /// <summary>Keys that changed after that revision, in the order of their changes. 0 gives all.</summary>
    Task<IReadOnlyList<ApiKey>> ReadChangedAsync(long afterRevision, CancellationToken cancellation);
}

public enum RevokeOutcome
{
    /// <summary>Also when it was revoked before.</summary>
    Revoked,
    Unknown,

    /// <summary>It is the last valid one with the role admin: nobody could make another.</summary>
    LastAdmin,
}
