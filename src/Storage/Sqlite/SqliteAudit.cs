using Millrace.Storage.Audit;
using Millrace.Storage.Jobs;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteAuditStore(SqliteDatabase database, TimeProvider time) : IAuditStore
{
    public Task AddAsync(AuditEntry entry, CancellationToken cancellation) => database.WriteAsync(session => SqliteAudit.Add(session, entry, time.GetUtcNow()), cancellation);

    public Task<IReadOnlyList<AuditRecord>> ListAsync(JobId? before, int limit, CancellationToken cancellation) => Task.FromResult(database.Read(session =>
    {
        var records = new List<AuditRecord>();
        using var rows = session.Query("SELECT id, at, actor, tenant, action, target, request_id, outcome, detail FROM audit WHERE id < $before ORDER BY id DESC LIMIT $limit",
            ("$before", Columns.Bytes(before ?? JobId.Last)), ("$limit", limit + 1));
        while (rows.Read())
        {
            var entry = new AuditEntry(rows.GetString(2), rows.GetString(3), rows.GetString(4), rows.GetString(5), Columns.Text(rows, 6));
            records.Add(new AuditRecord(Columns.Id(rows, 0), Columns.Time(rows.GetInt64(1)), entry with { Outcome = (AuditOutcome)rows.GetInt32(7), Detail = rows.GetString(8) }));
        }
        return (IReadOnlyList<AuditRecord>)records;
    }));
}

/// <summary>Writes a record within the transaction of what it tells of.</summary>
internal static class SqliteAudit
{
    public static int Add(SqliteSession session, AuditEntry entry, DateTimeOffset now) => session.Execute(
        "INSERT INTO audit (id, at, actor, tenant, action, target, outcome, detail, request_id) VALUES ($id, $at, $actor, $tenant, $action, $target, $outcome, $detail, $request)",
        ("$id", Columns.Bytes(JobId.New(now))), ("$at", Columns.Micros(now)), ("$actor", entry.Actor), ("$tenant", entry.Tenant), ("$action", entry.Action),
        ("$target", entry.Target), ("$outcome", (int)entry.Outcome), ("$detail", entry.Detail), ("$request", entry.RequestId));
}
