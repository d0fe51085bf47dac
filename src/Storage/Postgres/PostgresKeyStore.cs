using Millrace.Storage.Access;
using Millrace.Storage.Audit;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresKeyStore(PostgresDatabase database) : IKeyStore
{
    private const string Row = "id, hash, name, tenant, roles, requests, created_at, expires_at, revoked_at, revision";

    public Task<ApiKey> AddAsync(NewApiKey key, AuditEntry audit, CancellationToken cancellation)
    {
        const string sql = $"""
            INSERT INTO api_keys ({Row}) VALUES ($1, $2, $3, $4, $5, $6, store_now(), store_now() + $7, NULL, $8) RETURNING {Row}
            """;
        return database.WriteAsync(async session =>
        {
            await PostgresAudit.AddAsync(session, audit);
            return (await session.QueryAsync(sql, Read, key.Id, key.Hash.ToArray(), key.Name, key.Tenant, (short)key.Roles, Columns.Typed(NpgsqlDbType.Integer, key.Requests),
                Columns.Typed(NpgsqlDbType.Interval, key.ExpiresIn), await NextRevisionAsync(session)))[0];
        }, cancellation);
    }

    public Task<RevokeOutcome> RevokeAsync(string id, AuditEntry audit, CancellationToken cancellation) => database.WriteAsync(async session =>
    {
        var revision = await NextRevisionAsync(session); // from here on no other change happens
        var outcome = await CheckAsync(session, id);
        await PostgresAudit.AddAsync(session, outcome == RevokeOutcome.Revoked ? audit : audit with { Outcome = AuditOutcome.Refused, Detail = outcome.ToString() });
        if (outcome == RevokeOutcome.Revoked)
            await session.ExecuteAsync("UPDATE api_keys SET revoked_at = coalesce(revoked_at, store_now()), revision = $2 WHERE id = $1", id, revision);
        return outcome;
    }, cancellation);

    public Task<IReadOnlyList<ApiKey>> ReadChangedAsync(long afterRevision, CancellationToken cancellation) => database.ReadAsync<IReadOnlyList<ApiKey>>(async session =>
        await session.QueryAsync($"SELECT {Row} FROM api_keys WHERE revision > $1 ORDER BY revision", Read, afterRevision), cancellation);

    private static async Task<RevokeOutcome> CheckAsync(PostgresSession session, string id)
    {
        const string valid = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > store_now())";
        if (await session.ScalarAsync($"SELECT {valid} AND roles & $2 <> 0 FROM api_keys WHERE id = $1", id, (int)Roles.Admin) is not bool isAdmin)
            return RevokeOutcome.Unknown;
        return isAdmin && await session.ScalarAsync($"SELECT count(*) FROM api_keys WHERE {valid} AND roles & $2 <> 0 AND id <> $1", id, (int)Roles.Admin) is 0L
            ? RevokeOutcome.LastAdmin : RevokeOutcome.Revoked;
    }

    private static async Task<long> NextRevisionAsync(PostgresSession session) => (long)(await session.ScalarAsync("UPDATE api_key_revision SET last = last + 1 RETURNING last"))!;

    private static ApiKey Read(NpgsqlDataReader row) => new(row.GetString(0), row.GetFieldValue<byte[]>(1), row.GetString(2), row.GetString(3), (Roles)row.GetInt16(4),
        row.IsDBNull(5) ? null : row.GetInt32(5), Columns.Time(row, 6), Columns.TimeOrNull(row, 7), Columns.TimeOrNull(row, 8), row.GetInt64(9));
}
