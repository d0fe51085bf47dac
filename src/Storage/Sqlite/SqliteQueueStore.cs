using Millrace.Storage.Audit;
using Millrace.Storage.Jobs;
using Millrace.Storage.Queues;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteQueueStore(SqliteDatabase database, TimeProvider time) : IQueueStore
{
    public Task<IReadOnlySet<string>> ReadPausedAsync(CancellationToken cancellation) => Task.FromResult(database.Read(session =>
    {
        var models = new HashSet<string>();
        using var rows = session.Query("SELECT model FROM paused_models");
        while (rows.Read())
            models.Add(rows.GetString(0));
        return (IReadOnlySet<string>)models;
    }));

    public Task SetPausedAsync(string model, bool paused, AuditEntry audit, CancellationToken cancellation) => database.WriteAsync(session =>
    {
        SqliteAudit.Add(session, audit, time.GetUtcNow());
        return session.Execute(paused ? "INSERT OR IGNORE INTO paused_models (model) VALUES ($model)" : "DELETE FROM paused_models WHERE model = $model", ("$model", model));
    }, cancellation);

    public Task<long> CountQueuedAsync(string model, CancellationToken cancellation) => Task.FromResult(database.Read(session =>
        (long)session.Scalar("""
            SELECT (SELECT COUNT(*) FROM jobs WHERE model = $model AND state = 0 AND dispatched_at IS NOT NULL)
                + (SELECT COUNT(*) FROM jobs WHERE model = $model AND state = 0 AND dispatched_at IS NULL)
            """, ("$model", model))!));

    public Task<IReadOnlyList<JobId>> CancelQueuedAsync(string model, DateTimeOffset before, int atMost, AuditEntry? audit, CancellationToken cancellation)
    {
        const string sql = """
            UPDATE jobs SET state = 4, fence = fence + 1, version = version + 1, finished_at = $now, lease_until = NULL,
                error = json_object('Code', 'canceled_by_operator', 'Message', 'The job was canceled.', 'Attempt', attempt, 'Retryable', json('false')),
                result_expires_at = $now + result_ttl, purge_at = $now + result_ttl
            WHERE state = 0 AND id IN (SELECT id FROM (
                SELECT id, created_at FROM jobs WHERE model = $model AND state = 0 AND dispatched_at IS NOT NULL AND created_at < $before
                UNION ALL SELECT id, created_at FROM jobs WHERE model = $model AND state = 0 AND dispatched_at IS NULL AND created_at < $before)
                ORDER BY created_at, id LIMIT $most)
            RETURNING id
            """;
        return database.WriteAsync(session =>
        {
            if (audit is not null)
                SqliteAudit.Add(session, audit, time.GetUtcNow());
            var canceled = new List<JobId>();
            using var rows = session.Query(sql, ("$now", Columns.Micros(time.GetUtcNow())), ("$model", model), ("$before", Columns.Micros(before)), ("$most", atMost));
            while (rows.Read())
                canceled.Add(Columns.Id(rows, 0));
            return (IReadOnlyList<JobId>)canceled;
        }, cancellation);
    }
}
