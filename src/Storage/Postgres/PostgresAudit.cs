using Millrace.Storage.Audit;
using Millrace.Storage.Jobs;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresAuditStore(PostgresDatabase database) : IAuditStore
{
    public Task AddAsync(AuditEntry entry, CancellationToken cancellation) => database.WriteAsync(session => PostgresAudit.AddAsync(session, entry), cancellation);

    public Task<IReadOnlyList<AuditRecord>> ListAsync(JobId? before, int limit, CancellationToken cancellation) => database.ReadAsync<IReadOnlyList<AuditRecord>>(async session =>
        await session.QueryAsync("SELECT id, at, actor, tenant, action, target, request_id, outcome, detail FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
            Read, (before ?? JobId.Last).Value, limit + 1), cancellation);

    private static AuditRecord Read(NpgsqlDataReader row)
    {
        var entry = new AuditEntry(row.GetString(2), row.GetString(3), row.GetString(4), row.GetString(5), Columns.Text(row, 6));
        return new AuditRecord(new JobId(row.GetGuid(0)), Columns.Time(row, 1), entry with { Outcome = (AuditOutcome)row.GetInt16(7), Detail = row.GetString(8) });
    }
}

/// <summary>Writes a record within the transaction of what it tells of.</summary>
internal static class PostgresAudit
{
    public static async Task<int> AddAsync(PostgresSession session, AuditEntry entry)
    {
        var now = (DateTime)(await session.ScalarAsync("SELECT store_now()"))!;
        return await session.ExecuteAsync("INSERT INTO audit (id, at, actor, tenant, action, target, outcome, detail, request_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            JobId.New(now).Value, now, entry.Actor, entry.Tenant, entry.Action, entry.Target, (short)entry.Outcome, entry.Detail, Columns.Typed(NpgsqlDbType.Text, entry.RequestId));
    }
}
