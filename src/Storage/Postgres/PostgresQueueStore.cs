using Millrace.Storage.Audit;
using Millrace.Storage.Jobs;
using Millrace.Storage.Queues;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresQueueStore(PostgresDatabase database) : IQueueStore
{
    public Task<IReadOnlySet<string>> ReadPausedAsync(CancellationToken cancellation) => database.ReadAsync<IReadOnlySet<string>>(async session =>
        (await session.QueryAsync("SELECT model FROM paused_models", row => row.GetString(0))).ToHashSet(), cancellation);

    public Task SetPausedAsync(string model, bool paused, AuditEntry audit, CancellationToken cancellation) => database.WriteAsync(async session =>
    {
        await PostgresAudit.AddAsync(session, audit);
        return await session.ExecuteAsync(paused ? "INSERT INTO paused_models (model) VALUES ($1) ON CONFLICT DO NOTHING" : "DELETE FROM paused_models WHERE model = $1", model);
    }, cancellation);

    public Task<long> CountQueuedAsync(string model, CancellationToken cancellation) => database.ReadAsync(async session =>
        (long)(await session.ScalarAsync("""
            SELECT (SELECT count(*) FROM jobs WHERE model = $1 AND state = 0 AND dispatched_at IS NOT NULL)
                + (SELECT count(*) FROM jobs WHERE model = $1 AND state = 0 AND dispatched_at IS NULL)
            """, model))!, cancellation);

    public Task<IReadOnlyList<JobId>> CancelQueuedAsync(string model, DateTimeOffset before, int atMost, AuditEntry? audit, CancellationToken cancellation)
    {
        const string sql = """
            WITH oldest AS MATERIALIZED (SELECT id FROM (
                    SELECT id, created_at FROM jobs WHERE model = $1 AND state = 0 AND dispatched_at IS NOT NULL AND created_at < $2
                    UNION ALL SELECT id, created_at FROM jobs WHERE model = $1 AND state = 0 AND dispatched_at IS NULL AND created_at < $2) AS waiting
                    ORDER BY created_at, id LIMIT $3),
                found AS MATERIALIZED (SELECT jobs.id FROM jobs JOIN oldest ON oldest.id = jobs.id WHERE state = 0 ORDER BY jobs.id FOR UPDATE OF jobs SKIP LOCKED)
            UPDATE jobs SET state = 4, fence = fence + 1, version = version + 1, finished_at = store_now(), lease_until = NULL,
                error = json_build_object('Code', 'canceled_by_operator', 'Message', 'The job was canceled.', 'Attempt', attempt, 'Retryable', false)::text,
                result_expires_at = store_now() + result_ttl, purge_at = store_now() + result_ttl
            FROM found WHERE jobs.id = found.id
            RETURNING jobs.id
            """;
        return database.WriteAsync<IReadOnlyList<JobId>>(async session =>
        {
            if (audit is not null)
                await PostgresAudit.AddAsync(session, audit);
            return await session.QueryAsync(sql, row => new JobId(row.GetGuid(0)), model, before.UtcDateTime, atMost);
        }, cancellation);
    }
}
