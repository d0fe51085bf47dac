using Millrace.Storage.Jobs;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
/// <remarks>Rows are locked first, in the order of their ids or skipping what is locked, and the clock is read after: a time that was taken before a wait for a lock would shorten the lease.</remarks>
public sealed class PostgresClaimStore(PostgresDatabase database) : IClaimStore
{
    public Task<IReadOnlyList<ClaimedJob>> ClaimAsync(string model, IReadOnlyList<Guid> tickets, string worker, TimeSpan lease, CancellationToken cancellation)
    {
        const string sql = """
            WITH turns AS MATERIALIZED (SELECT j.tenant, count(*) AS jobs FROM unnest($1) AS t(id) JOIN jobs j ON j.id = t.id WHERE j.model = $2 GROUP BY j.tenant),
                locked AS MATERIALIZED (SELECT c.id FROM turns CROSS JOIN LATERAL (
                        SELECT id FROM jobs WHERE model = $2 AND tenant = turns.tenant AND state = 0 AND dispatched_at IS NOT NULL
                            AND available_at <= store_now() AND expires_at > store_now() AND attempt < max_attempts
                        ORDER BY priority, created_at, id LIMIT turns.jobs FOR UPDATE SKIP LOCKED) AS c
                    WHERE NOT EXISTS (SELECT 1 FROM paused_models WHERE model = $2)),
                claimed AS (UPDATE jobs SET state = 1, attempt = attempt + 1, fence = fence + 1, version = version + 1,
                        started_at = store_now(), lease_until = store_now() + $3, worker = $4
                    FROM locked WHERE jobs.id = locked.id
                    RETURNING jobs.id, fence, attempt, model_version, priority, timeout, alone, created_at, store_now() - available_at AS waited, traceparent, tracestate)
            SELECT c.id, c.fence, c.attempt, c.model_version, c.priority, c.timeout, c.alone, i.body, c.waited, c.traceparent, c.tracestate
            FROM claimed c JOIN job_inputs i ON i.job_id = c.id ORDER BY c.priority, c.created_at, c.id
            """;
        return database.WriteAsync<IReadOnlyList<ClaimedJob>>(async session => await session.QueryAsync(sql,
            row => new ClaimedJob(new JobId(row.GetGuid(0)), new Fence(row.GetInt64(1)), row.GetInt16(2), row.GetString(3), row.GetInt16(4),
                row.GetTimeSpan(5), row.GetBoolean(6), row.GetFieldValue<byte[]>(7), row.GetTimeSpan(8), Columns.Text(row, 9), Columns.Text(row, 10)),
            Columns.Array(NpgsqlDbType.Uuid, tickets.ToArray()), model, Columns.Typed(NpgsqlDbType.Interval, lease), worker), cancellation);
    }

    public Task<IReadOnlyList<FinishOutcome>> FinishAsync(IReadOnlyList<AttemptEnd> ends, CancellationToken cancellation) => database.WriteAsync<IReadOnlyList<FinishOutcome>>(async session =>
    {
        var successes = ends.OfType<AttemptEnd.Succeeded>().ToArray();
        if (successes.Length < ends.Count) // several statements: all rows are locked before, in one order
            await session.ExecuteAsync("SELECT 1 FROM jobs WHERE id = ANY ($1) ORDER BY id FOR UPDATE", Columns.Array(NpgsqlDbType.Uuid, ends.Select(e => e.Id.Value).ToArray()));
        var succeeded = successes.Length > 0 ? await SucceedAsync(session, successes) : [];
        var outcomes = new FinishOutcome[ends.Count];
        for (var at = 0; at < outcomes.Length; at++)
        {
            outcomes[at] = ends[at] switch
            {
                AttemptEnd.Succeeded end => succeeded.Contains((end.Id.Value, end.Fence.Value)) ? FinishOutcome.Ended : FinishOutcome.Dropped,
                AttemptEnd.Failed end => await FailAsync(session, end),
                AttemptEnd.GivenBack end => await GiveBackAsync(session, end),
                var unknown => throw new InvalidOperationException($"No end of an attempt: {unknown}"),
            };
        }
        return outcomes;
    }, cancellation);

    public Task<IReadOnlyList<JobId>> RenewAsync(IReadOnlyList<(JobId Id, Fence Fence)> claims, TimeSpan lease, CancellationToken cancellation)
    {
        const string sql = """
            WITH locked AS MATERIALIZED (SELECT j.id FROM unnest($1, $2) AS c(id, fence) JOIN jobs j ON j.id = c.id AND j.fence = c.fence
                WHERE j.state = 1 ORDER BY j.id FOR UPDATE OF j)
            UPDATE jobs SET lease_until = store_now() + $3 FROM locked WHERE jobs.id = locked.id RETURNING jobs.id
            """;
        return database.WriteAsync<IReadOnlyList<JobId>>(async session =>
        {
            var renewed = await session.QueryAsync(sql, row => row.GetGuid(0), Columns.Array(NpgsqlDbType.Uuid, claims.Select(c => c.Id.Value).ToArray()),
                Columns.Array(NpgsqlDbType.Bigint, claims.Select(c => c.Fence.Value).ToArray()), Columns.Typed(NpgsqlDbType.Interval, lease));
            return claims.Select(c => c.Id).Where(id => !renewed.Contains(id.Value)).ToArray();
        }, cancellation);
    }

    private static async Task<HashSet<(Guid, long)>> SucceedAsync(PostgresSession session, AttemptEnd.Succeeded[] ends)
    {
        const string sql = """
            WITH ends AS (SELECT * FROM unnest($1, $2, $3) AS e(id, fence, body)),
                locked AS MATERIALIZED (SELECT j.id FROM ends e JOIN jobs j ON j.id = e.id AND j.fence = e.fence WHERE j.state = 1 ORDER BY j.id FOR UPDATE OF j),
                ended AS (UPDATE jobs SET state = 2, version = version + 1, finished_at = store_now(), lease_until = NULL, error = NULL,
                        result_expires_at = store_now() + result_ttl, purge_at = store_now() + result_ttl
                    FROM locked WHERE jobs.id = locked.id AND jobs.state = 1 RETURNING jobs.id, jobs.fence),
                results AS (INSERT INTO job_results (job_id, body) SELECT e.id, e.body FROM ends e JOIN ended ON ended.id = e.id AND ended.fence = e.fence)
            SELECT id, fence FROM ended
            """; // what is missing is somebody else's now; its result is dropped, the write is not repeated
        var ended = await session.QueryAsync(sql, row => (row.GetGuid(0), row.GetInt64(1)), Columns.Array(NpgsqlDbType.Uuid, ends.Select(e => e.Id.Value).ToArray()),
            Columns.Array(NpgsqlDbType.Bigint, ends.Select(e => e.Fence.Value).ToArray()), Columns.Array(NpgsqlDbType.Bytea, ends.Select(e => e.Result.ToArray()).ToArray()));
        return [.. ended];
    }

    private static async Task<FinishOutcome> FailAsync(PostgresSession session, AttemptEnd.Failed end)
    {
        const string retry = """
            WITH again AS (UPDATE jobs SET state = 0, fence = fence + 1, version = version + 1, available_at = store_now() + $4, dispatched_at = NULL,
                    lease_until = NULL, error = $3
                WHERE id = $1 AND fence = $2 AND state = 1 AND attempt < max_attempts AND store_now() + $4 < expires_at
                RETURNING id, attempt, started_at, worker)
            INSERT INTO job_attempts (job_id, attempt, started_at, finished_at, worker, error) SELECT id, attempt, started_at, store_now(), worker, $3 FROM again
            ON CONFLICT (job_id, attempt) DO UPDATE SET started_at = excluded.started_at, finished_at = excluded.finished_at, worker = excluded.worker, error = excluded.error
            """; // 0 rows: no further attempt, or somebody else's job
        const string fail = """
            UPDATE jobs SET state = 3, version = version + 1, finished_at = store_now(), lease_until = NULL, error = $3, fingerprint = $4,
                result_expires_at = store_now() + result_ttl, purge_at = store_now() + result_ttl
            WHERE id = $1 AND fence = $2 AND state = 1
            """; // 0 rows: the job is somebody else's now
        var error = Columns.Json(end.Error);
        if (end.Error.Retryable && await session.ExecuteAsync(retry, end.Id.Value, end.Fence.Value, error, Columns.Typed(NpgsqlDbType.Interval, end.Backoff)) == 1)
            return FinishOutcome.Requeued;
        return await session.ExecuteAsync(fail, end.Id.Value, end.Fence.Value, error, end.Fingerprint) == 1 ? FinishOutcome.Ended : FinishOutcome.Dropped;
    }

    private static async Task<FinishOutcome> GiveBackAsync(PostgresSession session, AttemptEnd.GivenBack end)
    {
        const string sql = """
            UPDATE jobs SET state = 0, attempt = attempt - 1, fence = fence + 1, version = version + 1, available_at = store_now(), dispatched_at = NULL,
                lease_until = NULL, worker = NULL, started_at = (SELECT max(started_at) FROM job_attempts WHERE job_id = $1)
            WHERE id = $1 AND fence = $2 AND state = 1
            """; // 0 rows: it was taken back meanwhile
        return await session.ExecuteAsync(sql, end.Id.Value, end.Fence.Value) == 1 ? FinishOutcome.Requeued : FinishOutcome.Dropped;
    }
}
