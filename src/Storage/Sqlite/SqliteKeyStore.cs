using Microsoft.Data.Sqlite;
using Millrace.Storage.Access;
using Millrace.Storage.Audit;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteKeyStore(SqliteDatabase database, TimeProvider time) : IKeyStore
{
    private const string Row = "id, hash, name, tenant, roles, requests, created_at, expires_at, revoked_at, revision";
    private const string Next = "(SELECT COALESCE(MAX(revision), 0) + 1 FROM api_keys)";

    public Task<ApiKey> AddAsync(NewApiKey key, AuditEntry audit, CancellationToken cancellation)
    {
        const string sql = $"""
            INSERT INTO api_keys ({Row}) VALUES ($id, $hash, $name, $tenant, $roles, $requests, $now, $expires, NULL, {Next}) RETURNING {Row}
            """;
        return database.WriteAsync(session =>
        {
            var now = time.GetUtcNow();
            SqliteAudit.Add(session, audit, now);
            using var rows = session.Query(sql, ("$id", key.Id), ("$hash", key.Hash.ToArray()), ("$name", key.Name), ("$tenant", key.Tenant), ("$roles", (int)key.Roles),
                ("$requests", key.Requests), ("$now", Columns.Micros(now)), ("$expires", Columns.Micros(key.ExpiresIn is { } span ? now + span : null)));
            rows.Read();
            return Read(rows);
        }, cancellation);
    }

    public Task<RevokeOutcome> RevokeAsync(string id, AuditEntry audit, CancellationToken cancellation) => database.WriteAsync(session =>
    {
        var now = time.GetUtcNow();
        var outcome = Check(session, id, Columns.Micros(now));
        SqliteAudit.Add(session, outcome == RevokeOutcome.Revoked ? audit : audit with { Outcome = AuditOutcome.Refused, Detail = outcome.ToString() }, now);
        if (outcome == RevokeOutcome.Revoked)
            session.Execute($"UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $now), revision = {Next} WHERE id = $id", ("$now", Columns.Micros(now)), ("$id", id));
        return outcome;
    }, cancellation);

    public Task<IReadOnlyList<ApiKey>> ReadChangedAsync(long afterRevision, CancellationToken cancellation) => Task.FromResult(database.Read(session =>
    {
        var keys = new List<ApiKey>();
        using var rows = session.Query($"SELECT {Row} FROM api_keys WHERE revision > $after ORDER BY revision", ("$after", afterRevision));
        while (rows.Read())
            keys.Add(Read(rows));
        return (IReadOnlyList<ApiKey>)keys;
    }));

    private static RevokeOutcome Check(SqliteSession session, string id, long now)
    {
        const string valid = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $now)";
        if (session.Scalar($"SELECT {valid} AND roles & $admin <> 0 FROM api_keys WHERE id = $id", ("$now", now), ("$admin", (int)Roles.Admin), ("$id", id)) is not long isAdmin)
            return RevokeOutcome.Unknown;
        return isAdmin == 1 && session.Scalar($"SELECT COUNT(*) FROM api_keys WHERE {valid} AND roles & $admin <> 0 AND id <> $id",
            ("$now", now), ("$admin", (int)Roles.Admin), ("$id", id)) is 0L ? RevokeOutcome.LastAdmin : RevokeOutcome.Revoked;
    }

    private static ApiKey Read(SqliteDataReader row) => new(row.GetString(0), row.GetFieldValue<byte[]>(1), row.GetString(2), row.GetString(3), (Roles)row.GetInt32(4),
        row.IsDBNull(5) ? null : row.GetInt32(5), Columns.Time(row.GetInt64(6)), Columns.TimeOrNull(row, 7), Columns.TimeOrNull(row, 8), row.GetInt64(9));
}
