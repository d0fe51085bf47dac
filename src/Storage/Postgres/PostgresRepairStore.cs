using Millrace.Storage.Jobs;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresRepairStore(PostgresDatabase database) : IRepairStore
{
    private static readonly TimeSpan KeepKeys = TimeSpan.FromHours(24);
    private static readonly TimeSpan KeepLetters = TimeSpan.FromDays(30);

    public Task<IReadOnlyList<RepairedJob>> TakeBackAsync(int atMost, CancellationToken cancellation)
    {
        // No exception was seen, so the job itself may have taken its worker down: the next attempt shares no batch.
        const string sql = """
            WITH lost AS MATERIALIZED (SELECT id, attempt < max_attempts AS again, attempt, started_at, worker,
                        json_build_object('Code', 'worker_lost', 'Message', 'The worker stopped renewing its lease.', 'Attempt', attempt, 'Retryable', true)::text AS error
                    FROM jobs WHERE state = 1 AND lease_until < store_now() ORDER BY lease_until LIMIT $1 FOR UPDATE SKIP LOCKED),
                history AS (INSERT INTO job_attempts (job_id, attempt, started_at, finished_at, worker, error)
                    SELECT id, attempt, started_at, store_now(), worker, error FROM lost WHERE again
                    ON CONFLICT (job_id, attempt) DO UPDATE SET started_at = excluded.started_at, finished_at = excluded.finished_at, worker = excluded.worker, error = excluded.error)
            UPDATE jobs SET state = CASE WHEN again THEN 0 ELSE 3 END, fence = fence + 1, version = version + 1, alone = true,
                available_at = store_now(), dispatched_at = NULL, lease_until = NULL, error = lost.error,
                finished_at = CASE WHEN again THEN NULL ELSE store_now() END,
                fingerprint = CASE WHEN again THEN NULL ELSE model || '/' || model_version || '/worker_lost' END,
                result_expires_at = CASE WHEN again THEN NULL ELSE store_now() + result_ttl END,
                purge_at = CASE WHEN again THEN NULL ELSE store_now() + result_ttl END
            FROM lost WHERE jobs.id = lost.id
            RETURNING jobs.id, model, state, jobs.worker, jobs.attempt
            """;
        return RepairAsync("SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 1 AND lease_until < store_now())", sql, [atMost], cancellation);
    }

    public Task<IReadOnlyList<RepairedJob>> ExpireAsync(int atMost, CancellationToken cancellation)
    {
        const string sql = """
            WITH late AS MATERIALIZED (SELECT id FROM jobs WHERE state = 0 AND expires_at <= store_now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
            UPDATE jobs SET state = CASE WHEN attempt > 0 THEN 3 ELSE 5 END, fence = fence + 1, version = version + 1, finished_at = store_now(),
                error = CASE WHEN attempt > 0 THEN error ELSE $2 END, result_expires_at = store_now() + result_ttl, purge_at = store_now() + result_ttl,
                fingerprint = CASE WHEN attempt > 0 THEN COALESCE(fingerprint, model || '/' || model_version || '/expired') END
            FROM late WHERE jobs.id = late.id
            RETURNING jobs.id, model, state, worker, attempt
            """;
        var never = new JobError(JobErrorCodes.ExpiredInQueue, "The job was not started before expires_at.", 0, Retryable: false);
        return RepairAsync("SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 0 AND expires_at <= store_now())", sql, [atMost, Columns.Json(never)], cancellation);
    }

    public Task<int> PurgeAsync(TimeSpan keepRows, int atMost, CancellationToken cancellation)
    {
        const string anything = """
            SELECT EXISTS (SELECT 1 FROM jobs WHERE purge_at <= store_now()) OR EXISTS (SELECT 1 FROM idempotency_keys WHERE created_at < store_now() - $1)
                OR EXISTS (SELECT 1 FROM dead_letters WHERE at < store_now() - $2) OR EXISTS (SELECT 1 FROM replays WHERE finished_at < store_now() - $3)
            """;
        const string keys = """
            DELETE FROM idempotency_keys WHERE (tenant, scope, key) IN (SELECT tenant, scope, key FROM idempotency_keys k WHERE created_at < store_now() - $1
                AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = k.job_id AND jobs.state < 2) LIMIT $2)
            """;
        const string sql = """
            WITH due AS MATERIALIZED (SELECT id, finished_at + $1 AS until, finished_at + $1 <= store_now() AS gone FROM jobs
                    WHERE purge_at <= store_now() AND state >= 2 ORDER BY purge_at LIMIT $2 FOR UPDATE SKIP LOCKED),
                inputs AS (DELETE FROM job_inputs USING due WHERE job_id = due.id),
                results AS (DELETE FROM job_results USING due WHERE job_id = due.id),
                attempts AS (DELETE FROM job_attempts USING due WHERE job_id = due.id AND due.gone),
                rows AS (DELETE FROM jobs USING due WHERE jobs.id = due.id AND due.gone),
                kept AS (UPDATE jobs SET purge_at = due.until FROM due WHERE jobs.id = due.id AND NOT due.gone)
            SELECT count(*)::int FROM due
            """;
        const string replays = """
            WITH old AS (DELETE FROM replays WHERE finished_at < store_now() - $1 RETURNING id) DELETE FROM replay_items WHERE replay_id IN (SELECT id FROM old)
            """;
        var keepReplays = keepRows > KeepKeys ? keepRows : KeepKeys; // as long as jobs, and as their keys
        return database.WriteAsync(async session =>
        {
            var keep = Columns.Typed(NpgsqlDbType.Interval, KeepKeys);
            if (await session.ScalarAsync(anything, keep, Columns.Typed(NpgsqlDbType.Interval, KeepLetters), Columns.Typed(NpgsqlDbType.Interval, keepReplays)) is not true)
                return 0; // an idle system writes nothing
            await session.ExecuteAsync(keys, keep.Clone(), atMost);
            await session.ExecuteAsync(replays, Columns.Typed(NpgsqlDbType.Interval, keepReplays));
            await session.ExecuteAsync("DELETE FROM dead_letters WHERE at < store_now() - $1", Columns.Typed(NpgsqlDbType.Interval, KeepLetters));
            return (int)(await session.ScalarAsync(sql, Columns.Typed(NpgsqlDbType.Interval, keepRows), atMost))!;
        }, cancellation);
    }

    private async Task<IReadOnlyList<RepairedJob>> RepairAsync(string anything, string sql, object?[] values, CancellationToken cancellation)
    {
        if (await database.ReadAsync(session => session.ScalarAsync(anything), cancellation) is not true)
            return [];
        return await database.WriteAsync(session => session.QueryAsync(sql, row => new RepairedJob(
            new JobId(row.GetGuid(0)), row.GetString(1), (JobState)row.GetInt16(2), Columns.Text(row, 3), row.GetInt16(4)), values), cancellation);
    }
}
