using Millrace.Storage.Jobs;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteRepairStore(SqliteDatabase database, TimeProvider time) : IRepairStore
{
    private static readonly TimeSpan KeepKeys = TimeSpan.FromHours(24);
    private static readonly TimeSpan KeepLetters = TimeSpan.FromDays(30);

    public Task<IReadOnlyList<RepairedJob>> TakeBackAsync(int atMost, CancellationToken cancellation)
    {
        const string lost = "SELECT id, model, attempt, max_attempts, fence, worker, started_at, model_version FROM jobs "
            + "WHERE state = 1 AND lease_until < $now ORDER BY lease_until LIMIT $most";
        if (database.Read(s => s.Scalar("SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 1 AND lease_until < $now)", ("$now", Now()))) is not 1L)
            return None;
        return database.WriteAsync(session =>
        {
            var now = Now();
            var found = new List<LostJob>();
            using (var rows = session.Query(lost, ("$now", now), ("$most", atMost)))
            {
                while (rows.Read())
                    found.Add(new LostJob(rows.GetFieldValue<byte[]>(0), rows.GetString(1), rows.GetInt32(2), rows.GetInt32(3), rows.GetInt64(4),
                        Columns.Text(rows, 5), rows.GetInt64(6), rows.GetString(7)));
            }
            return (IReadOnlyList<RepairedJob>)found.Select(job => TakeBack(session, job, now)).ToList();
        }, cancellation);
    }

    public Task<IReadOnlyList<RepairedJob>> ExpireAsync(int atMost, CancellationToken cancellation)
    {
        const string sql = """
            UPDATE jobs SET state = CASE WHEN attempt > 0 THEN 3 ELSE 5 END, fence = fence + 1, version = version + 1, finished_at = $now,
                error = CASE WHEN attempt > 0 THEN error ELSE $error END, result_expires_at = $now + result_ttl, purge_at = $now + result_ttl,
                fingerprint = CASE WHEN attempt > 0 THEN COALESCE(fingerprint, model || '/' || model_version || '/expired') END
            WHERE id IN (SELECT id FROM jobs WHERE state = 0 AND expires_at <= $now ORDER BY expires_at LIMIT $most)
            RETURNING id, model, state, worker, attempt
            """;
        if (database.Read(s => s.Scalar("SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 0 AND expires_at <= $now)", ("$now", Now()))) is not 1L)
            return None;
        var never = new JobError(JobErrorCodes.ExpiredInQueue, "The job was not started before expires_at.", 0, Retryable: false);
        return database.WriteAsync(session =>
        {
            var repaired = new List<RepairedJob>();
            using var rows = session.Query(sql, ("$now", Now()), ("$error", Columns.Json(never)), ("$most", atMost));
            while (rows.Read())
                repaired.Add(new RepairedJob(Columns.Id(rows, 0), rows.GetString(1), (JobState)rows.GetInt32(2), Columns.Text(rows, 3), rows.GetInt32(4)));
            return (IReadOnlyList<RepairedJob>)repaired;
        }, cancellation);
    }

    public Task<int> PurgeAsync(TimeSpan keepRows, int atMost, CancellationToken cancellation)
    {
        const string due = "SELECT id, finished_at FROM jobs WHERE purge_at <= $now AND state >= 2 ORDER BY purge_at LIMIT $most";
        const string anything = """
            SELECT EXISTS (SELECT 1 FROM jobs WHERE purge_at <= $now) OR EXISTS (SELECT 1 FROM idempotency_keys WHERE created_at < $keys)
                OR EXISTS (SELECT 1 FROM dead_letters WHERE at < $letters) OR EXISTS (SELECT 1 FROM replays WHERE finished_at < $replays)
            """;
        if (database.Read(s => s.Scalar(anything, ("$now", Now()), ("$keys", Now() - Columns.Micros(KeepKeys)), ("$letters", Now() - Columns.Micros(KeepLetters)), ("$replays", Now() - Columns.Micros(KeepReplays(keepRows))))) is not 1L)
            return Task.FromResult(0); // an idle system writes nothing
        return database.WriteAsync(session =>
        {
            var now = Now();
            var jobs = new List<(byte[] Id, long FinishedAt)>();
            using (var rows = session.Query(due, ("$now", now), ("$most", atMost)))
            {
                while (rows.Read())
                    jobs.Add((rows.GetFieldValue<byte[]>(0), rows.GetInt64(1)));
            }
            foreach (var (id, finishedAt) in jobs)
                Purge(session, id, finishedAt + Columns.Micros(keepRows), now);
            session.Execute("""
                DELETE FROM idempotency_keys WHERE created_at < $before
                    AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = idempotency_keys.job_id AND jobs.state < 2)
                """, ("$before", now - Columns.Micros(KeepKeys)));
            session.Execute("DELETE FROM replay_items WHERE replay_id IN (SELECT id FROM replays WHERE finished_at < $before)", ("$before", now - Columns.Micros(KeepReplays(keepRows))));
            session.Execute("DELETE FROM replays WHERE finished_at < $before", ("$before", now - Columns.Micros(KeepReplays(keepRows))));
            session.Execute("DELETE FROM dead_letters WHERE at < $before", ("$before", now - Columns.Micros(KeepLetters)));
            return jobs.Count;
        }, cancellation);
    }

    /// <summary>As long as jobs, and as their keys.</summary>
    private static TimeSpan KeepReplays(TimeSpan keepRows) => keepRows > KeepKeys ? keepRows : KeepKeys;

    /// <summary>Removes a job's row and all that hangs on it, but for its key: that is kept for its own time.</summary>
    internal static void DeleteJob(SqliteSession session, byte[] id)
    {
        DeletePayload(session, id);
        session.Execute("DELETE FROM job_attempts WHERE job_id = $id", ("$id", id));
        session.Execute("DELETE FROM jobs WHERE id = $id AND state >= 2", ("$id", id));
    }

    private static readonly Task<IReadOnlyList<RepairedJob>> None = Task.FromResult<IReadOnlyList<RepairedJob>>([]);

    private static void DeletePayload(SqliteSession session, byte[] id)
    {
        session.Execute("DELETE FROM job_inputs WHERE job_id = $id", ("$id", id));
        session.Execute("DELETE FROM job_results WHERE job_id = $id", ("$id", id));
    }

    private static void Purge(SqliteSession session, byte[] id, long rowUntil, long now)
    {
        if (rowUntil <= now)
        {
            DeleteJob(session, id);
            return;
        }
        DeletePayload(session, id);
        session.Execute("UPDATE jobs SET purge_at = $until WHERE id = $id AND state >= 2", ("$until", rowUntil), ("$id", id));
    }

    private static RepairedJob TakeBack(SqliteSession session, LostJob job, long now)
    {
        // No exception was seen, so the job itself may have taken its worker down: the next attempt shares no batch.
        const string sql = """
            UPDATE jobs SET state = CASE WHEN attempt < max_attempts THEN 0 ELSE 3 END, fence = fence + 1, version = version + 1, alone = 1,
                available_at = $now, dispatched_at = NULL, lease_until = NULL, error = $error,
                finished_at = CASE WHEN attempt < max_attempts THEN NULL ELSE $now END,
                fingerprint = CASE WHEN attempt < max_attempts THEN NULL ELSE model || '/' || model_version || '/worker_lost' END,
                result_expires_at = CASE WHEN attempt < max_attempts THEN NULL ELSE $now + result_ttl END,
                purge_at = CASE WHEN attempt < max_attempts THEN NULL ELSE $now + result_ttl END
            WHERE id = $id AND fence = $fence AND state = 1
            """;
        var error = Columns.Json(new JobError(JobErrorCodes.WorkerLost, "The worker stopped renewing its lease.", job.Attempt, Retryable: true));
        session.Execute(sql, ("$now", now), ("$error", error), ("$id", job.Id), ("$fence", job.Fence));
        var again = job.Attempt < job.MaxAttempts;
        if (again)
            new SqliteClaimStore.Followed(job.Attempt, job.StartedAt, job.Worker).Insert(session, job.Id, now, error);
        return new RepairedJob(new JobId(new Guid(job.Id, bigEndian: true)), job.Model, again ? JobState.Queued : JobState.Failed, job.Worker, job.Attempt);
    }

    private long Now() => Columns.Micros(time.GetUtcNow());

    private sealed record LostJob(
        byte[] Id, string Model, int Attempt, int MaxAttempts, long Fence, string? Worker, long StartedAt, string ModelVersion);
}
