using Microsoft.Data.Sqlite;
using Millrace.Storage.Jobs;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteClaimStore(SqliteDatabase database, TimeProvider time) : IClaimStore
{
    public Task<IReadOnlyList<ClaimedJob>> ClaimAsync(
        string model, IReadOnlyList<Guid> tickets, string worker, TimeSpan lease, CancellationToken cancellation) =>
        database.WriteAsync(session =>
        {
            var claimed = new List<ClaimedJob>(tickets.Count);
            if (session.Scalar("SELECT 1 FROM paused_models WHERE model = $model", ("$model", model)) is not null)
                return claimed;
            foreach (var (tenant, count) in TicketsByTenant(session, model, tickets))
                Claim(session, model, tenant, count, worker, lease, claimed);
            return (IReadOnlyList<ClaimedJob>)claimed;
        }, cancellation);

    public Task<IReadOnlyList<FinishOutcome>> FinishAsync(IReadOnlyList<AttemptEnd> ends, CancellationToken cancellation) => database.WriteAsync(
        session => (IReadOnlyList<FinishOutcome>)ends.Select(end => end switch
        {
            AttemptEnd.Succeeded success => Succeed(session, success),
            AttemptEnd.Failed failure => Fail(session, failure),
            AttemptEnd.GivenBack back => GiveBack(session, back),
            _ => throw new InvalidOperationException($"No end of an attempt: {end}"),
        }).ToArray(), cancellation);

    public Task<IReadOnlyList<JobId>> RenewAsync(IReadOnlyList<(JobId Id, Fence Fence)> claims, TimeSpan lease, CancellationToken cancellation)
    {
        const string sql = "UPDATE jobs SET lease_until = $until WHERE id = $id AND fence = $fence AND state = 1";
        return database.WriteAsync(session =>
        {
            var until = Now() + Columns.Micros(lease);
            return (IReadOnlyList<JobId>)claims
                .Where(c => session.Execute(sql, ("$until", until), ("$id", Columns.Bytes(c.Id)), ("$fence", c.Fence.Value)) == 0)
                .Select(c => c.Id).ToArray();
        }, cancellation);
    }

    private static Dictionary<string, int> TicketsByTenant(SqliteSession session, string model, IReadOnlyList<Guid> tickets)
    {
        var counts = new Dictionary<string, int>();
        foreach (var ticket in tickets)
        {
            if (session.Scalar("SELECT tenant FROM jobs WHERE id = $id AND model = $model", ("$id", Columns.Bytes(ticket)), ("$model", model)) is string tenant)
                counts[tenant] = counts.GetValueOrDefault(tenant) + 1;
        }
        return counts;
    }

    private void Claim(SqliteSession session, string model, string tenant, int count, string worker, TimeSpan lease, List<ClaimedJob> claimed)
    {
        const string sql = """
            UPDATE jobs SET state = 1, attempt = attempt + 1, fence = fence + 1, version = version + 1,
                started_at = $now, lease_until = $now + $lease, worker = $worker
            WHERE state = 0 AND attempt < max_attempts AND id IN (
                SELECT id FROM jobs WHERE model = $model AND tenant = $tenant AND state = 0 AND dispatched_at IS NOT NULL
                    AND available_at <= $now AND expires_at > $now
                ORDER BY priority, created_at, id LIMIT $count)
            RETURNING id, fence, attempt, model_version, priority, timeout, alone, $now - available_at, traceparent, tracestate
            """;
        var first = claimed.Count;
        using (var rows = session.Query(sql, ("$now", Now()), ("$lease", Columns.Micros(lease)), ("$worker", worker),
            ("$model", model), ("$tenant", tenant), ("$count", count)))
        {
            while (rows.Read())
            {
                claimed.Add(new ClaimedJob(Columns.Id(rows, 0), new Fence(rows.GetInt64(1)), rows.GetInt32(2), rows.GetString(3),
                    rows.GetInt32(4), TimeSpan.FromMicroseconds(rows.GetInt64(5)), rows.GetBoolean(6), default, TimeSpan.FromMicroseconds(rows.GetInt64(7)), Columns.Text(rows, 8), Columns.Text(rows, 9)));
            }
        }
        for (var at = first; at < claimed.Count; at++)
        {
            var input = session.Scalar("SELECT body FROM job_inputs WHERE job_id = $id", ("$id", Columns.Bytes(claimed[at].Id)));
            claimed[at] = claimed[at] with { Input = (byte[])input! };
        }
        claimed.Sort(first, claimed.Count - first, ByPriorityThenAge); // RETURNING promises no order
    }

    private static readonly Comparer<ClaimedJob> ByPriorityThenAge = Comparer<ClaimedJob>.Create((a, b) =>
        a.Priority != b.Priority ? a.Priority.CompareTo(b.Priority) : a.Id.Value.CompareTo(b.Id.Value));

    private FinishOutcome Succeed(SqliteSession session, AttemptEnd.Succeeded end)
    {
        const string sql = """
            UPDATE jobs SET state = 2, version = version + 1, finished_at = $now, lease_until = NULL, error = NULL,
                result_expires_at = $now + result_ttl, purge_at = $now + result_ttl
            WHERE id = $id AND fence = $fence AND state = 1
            """; // 0 rows: the job is somebody else's now; the result is dropped, the write is not repeated
        var id = Columns.Bytes(end.Id);
        if (session.Execute(sql, ("$now", Now()), ("$id", id), ("$fence", end.Fence.Value)) == 0)
            return FinishOutcome.Dropped;
        session.Execute("INSERT INTO job_results (job_id, body) VALUES ($id, $body)", ("$id", id), ("$body", end.Result.ToArray()));
        return FinishOutcome.Ended;
    }

    private FinishOutcome Fail(SqliteSession session, AttemptEnd.Failed end)
    {
        const string retry = """
            UPDATE jobs SET state = 0, fence = fence + 1, version = version + 1, available_at = $now + $backoff, dispatched_at = NULL,
                lease_until = NULL, error = $error
            WHERE id = $id AND fence = $fence AND state = 1 AND $retryable AND attempt < max_attempts AND $now + $backoff < expires_at
            RETURNING attempt, started_at, worker
            """; // 0 rows: no further attempt, or somebody else's job
        const string fail = """
            UPDATE jobs SET state = 3, version = version + 1, finished_at = $now, lease_until = NULL, error = $error, fingerprint = $fingerprint,
                result_expires_at = $now + result_ttl, purge_at = $now + result_ttl
            WHERE id = $id AND fence = $fence AND state = 1
            """; // 0 rows: the job is somebody else's now
        var id = Columns.Bytes(end.Id);
        var now = Now();
        var error = Columns.Json(end.Error);
        var followed = Followed.Read(session.Query(retry, ("$now", now), ("$backoff", Columns.Micros(end.Backoff)), ("$error", error),
            ("$id", id), ("$fence", end.Fence.Value), ("$retryable", end.Error.Retryable)));
        if (followed is not null)
        {
            followed.Insert(session, id, now, error);
            return FinishOutcome.Requeued;
        }
        var ended = session.Execute(fail,
            ("$now", now), ("$error", error), ("$fingerprint", end.Fingerprint), ("$id", id), ("$fence", end.Fence.Value)) == 1;
        return ended ? FinishOutcome.Ended : FinishOutcome.Dropped;
    }

    private FinishOutcome GiveBack(SqliteSession session, AttemptEnd.GivenBack end)
    {
        const string sql = """
            UPDATE jobs SET state = 0, attempt = attempt - 1, fence = fence + 1, version = version + 1, available_at = $now, dispatched_at = NULL,
                lease_until = NULL, worker = NULL, started_at = (SELECT MAX(started_at) FROM job_attempts WHERE job_id = $id)
            WHERE id = $id AND fence = $fence AND state = 1
            """; // 0 rows: it was taken back meanwhile
        var given = session.Execute(sql, ("$now", Now()), ("$id", Columns.Bytes(end.Id)), ("$fence", end.Fence.Value)) == 1;
        return given ? FinishOutcome.Requeued : FinishOutcome.Dropped;
    }

    private long Now() => Columns.Micros(time.GetUtcNow());

    /// <summary>An attempt that another one will follow: it moves from the job's row into the history.</summary>
    internal sealed record Followed(int Attempt, long StartedAt, string? Worker)
    {
        public static Followed? Read(SqliteDataReader rows)
        {
            using (rows)
                return rows.Read() ? new Followed(rows.GetInt32(0), rows.GetInt64(1), Columns.Text(rows, 2)) : null;
        }

        public void Insert(SqliteSession session, byte[] id, long now, string error) => session.Execute("""
            INSERT OR REPLACE INTO job_attempts (job_id, attempt, started_at, finished_at, worker, error)
            VALUES ($id, $attempt, $started_at, $finished_at, $worker, $error)
            """, ("$id", id), ("$attempt", Attempt), ("$started_at", StartedAt), ("$finished_at", now), ("$worker", Worker), ("$error", error));
    }
}
