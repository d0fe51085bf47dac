namespace Millrace.Storage.Access;

/// <summary>What a caller may do. The numbers are stored: never renumber.</summary>
[Flags]
public enum Roles
{
    None = 0,

    /// <summary>Bring work: inferences, jobs, their cancel, delete and replay.</summary>
    Submit = 1,

    /// <summary>See models and the tenant's own jobs, results, failures and queues.</summary>
    Read = 2,

    /// <summary>Run the queues, of all tenants.</summary>
    Operate = 4,

    /// <summary>Make and revoke keys, and read the audit.</summary>
    Admin = 8,
}

/// <summary>A key as it is kept: never the key itself.</summary>
/// <param name="Id">The public part, by which it is named and found.</param>
/// <param name="Hash">SHA-256 of the whole key, which is 256 random bits.</param>
/// <param name="Requests">Its own limit of requests in a window; null for the default.</param>
/// <param name="Revision">Rises with every change of any key, in the order of the commits.</param>
public sealed record ApiKey(
    string Id, ReadOnlyMemory<byte> Hash, string Name, string Tenant, Roles Roles, int? Requests, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt,
    DateTimeOffset? RevokedAt, long Revision)
{
    public bool IsValid(DateTimeOffset now) => RevokedAt is null && (ExpiresAt is null || now < ExpiresAt);
}

public sealed record NewApiKey(string Id, ReadOnlyMemory<byte> Hash, string Name, string Tenant, Roles Roles, int? Requests, TimeSpan? ExpiresIn);
