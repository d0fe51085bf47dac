using System.Text;
using Millrace.Storage.Jobs;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteJobStore(SqliteDatabase database, SqliteInsert insert, TimeProvider time) : IJobStore
{
    public Task<AddOutcome> AddAsync(NewJob job, CancellationToken cancellation) => database.WriteAsync(session => insert.Add(session, job), cancellation);

    public Task<Job?> ReadAsync(string tenant, JobId id, CancellationToken cancellation) =>
        Task.FromResult(database.Read(session => Find(session, tenant, id)));

    public Task<JobDetails?> ReadDetailsAsync(string tenant, JobId id, CancellationToken cancellation) => Task.FromResult(database.Read(session =>
        Find(session, tenant, id) is { } job ? JobDetails.Of(job, Followed(session, job), Before(session, job)) : null));

    public Task<ReadOnlyMemory<byte>?> ReadResultAsync(string tenant, JobId id, CancellationToken cancellation)
    {
        const string sql = """
            SELECT r.body FROM job_results r JOIN jobs j ON j.id = r.job_id
            WHERE r.job_id = $id AND j.tenant = $tenant AND j.result_expires_at > $now
            """;
        return Task.FromResult(database.Read<ReadOnlyMemory<byte>?>(session =>
            session.Scalar(sql, ("$id", Columns.Bytes(id)), ("$tenant", tenant), ("$now", Now())) is byte[] body ? body : (ReadOnlyMemory<byte>?)null));
    }

    public Task<CancelOutcome?> CancelAsync(string tenant, JobId id, string reason, CancellationToken cancellation)
    {
        const string sql = """
            UPDATE jobs SET state = 4, fence = fence + 1, version = version + 1, finished_at = $now, lease_until = NULL, error = $error,
                result_expires_at = $now + result_ttl, purge_at = $now + result_ttl
            WHERE id = $id AND tenant = $tenant AND state IN (0, 1)
            """; // 0 rows: unknown, or final already
        return database.WriteAsync(session =>
        {
            if (Find(session, tenant, id) is not { } before)
                return null;
            var error = new JobError(reason, "The job was canceled.", before.Attempt, Retryable: false);
            var changed = session.Execute(sql, ("$now", Now()), ("$error", Columns.Json(error)), ("$id", Columns.Bytes(id)), ("$tenant", tenant)) == 1;
            return new CancelOutcome(Find(session, tenant, id)!, changed, changed && before.State == JobState.Running);
        }, cancellation);
    }

    public Task<DeleteOutcome?> DeleteAsync(string tenant, JobId id, CancellationToken cancellation) =>
        database.WriteAsync<DeleteOutcome?>(session =>
        {
            if (Find(session, tenant, id) is not { } job)
                return null;
            if (!job.State.IsFinal())
                return DeleteOutcome.NotFinal;
            SqliteRepairStore.DeleteJob(session, Columns.Bytes(id));
            return DeleteOutcome.Deleted;
        }, cancellation);

    public Task<IReadOnlyList<Job>> ListAsync(JobFilter filter, CancellationToken cancellation)
    {
        var (sql, values) = ListQuery(filter);
        return Task.FromResult(database.Read(session =>
        {
            var jobs = new List<Job>();
            using var rows = session.QueryOnce(sql, values); // as many statements as there are combinations of filters
            while (rows.Read())
                jobs.Add(Columns.ReadJob(rows));
            return (IReadOnlyList<Job>)jobs;
        }));
    }

    public Task<AddOutcome?> RecallAsync(string tenant, IdempotencyKey key, CancellationToken cancellation) =>
        Task.FromResult(database.Read(session => SqliteInsert.Recall(session, tenant, key)));

    public Task<IReadOnlyList<QueueDepth>> ReadQueuesAsync(string? model, CancellationToken cancellation)
    {
        const string sql = """
            SELECT model, tenant, SUM(queued), SUM(running), MIN(oldest), $now - MIN(due) FILTER (WHERE due <= $now) FROM (
                SELECT model, tenant, COUNT(*) AS queued, 0 AS running, MIN(created_at) AS oldest, MIN(available_at) AS due FROM jobs
                    WHERE state = 0 AND dispatched_at IS NOT NULL AND ($model IS NULL OR model = $model) GROUP BY model, tenant
                UNION ALL SELECT model, tenant, COUNT(*), 0, MIN(created_at), MIN(available_at) FROM jobs
                    WHERE state = 0 AND dispatched_at IS NULL AND ($model IS NULL OR model = $model) GROUP BY model, tenant
                UNION ALL SELECT model, tenant, 0, COUNT(*), NULL, NULL FROM jobs WHERE state = 1 AND ($model IS NULL OR model = $model) GROUP BY model, tenant)
            GROUP BY model, tenant ORDER BY model, tenant
            """;
        return Task.FromResult(database.Read(session =>
        {
            var queues = new List<QueueDepth>();
            using var rows = session.Query(sql, ("$model", model), ("$now", Columns.Micros(time.GetUtcNow())));
            while (rows.Read())
                queues.Add(new QueueDepth(rows.GetString(0), rows.GetString(1), rows.GetInt64(2), rows.GetInt64(3), Columns.TimeOrNull(rows, 4), rows.IsDBNull(5) ? null : TimeSpan.FromMicroseconds(rows.GetInt64(5))));
            return (IReadOnlyList<QueueDepth>)queues;
        }));
    }

    internal static Job? Find(SqliteSession session, string tenant, JobId id)
    {
        using var rows = session.Query(
            $"SELECT {Columns.Job} FROM jobs WHERE id = $id AND tenant = $tenant", ("$id", Columns.Bytes(id)), ("$tenant", tenant));
        return rows.Read() ? Columns.ReadJob(rows) : null;
    }

    private static List<JobAttempt> Followed(SqliteSession session, Job job)
    {
        var attempts = new List<JobAttempt>();
        using (var rows = session.Query(
            "SELECT attempt, started_at, finished_at, worker, error FROM job_attempts WHERE job_id = $id ORDER BY attempt", ("$id", Columns.Bytes(job.Id))))
        {
            while (rows.Read())
            {
                attempts.Add(new JobAttempt(rows.GetInt32(0), Columns.Time(rows.GetInt64(1)), Columns.TimeOrNull(rows, 2),
                    Columns.Text(rows, 3), job.ModelVersion, Columns.Error(rows, 4)));
            }
        }
        return attempts;
    }

    private static long? Before(SqliteSession session, Job job)
    {
        const string sql = """
            SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE model = $model AND tenant = $tenant AND state = 0 AND dispatched_at IS NOT NULL
                    AND (priority, created_at, id) < ($priority, $created_at, $id)
                UNION ALL SELECT 1 FROM jobs WHERE model = $model AND tenant = $tenant AND state = 0 AND dispatched_at IS NULL
                    AND (priority, created_at, id) < ($priority, $created_at, $id)
                LIMIT $most)
            """;
        if (job.State != JobState.Queued)
            return null;
        return (long)session.Scalar(sql, ("$model", job.Model), ("$tenant", job.Tenant), ("$priority", job.Priority),
            ("$created_at", Columns.Micros(job.CreatedAt)), ("$id", Columns.Bytes(job.Id)), ("$most", JobDetails.FarthestPosition))!;
    }

    private static (string Sql, (string Name, object? Value)[] Values) ListQuery(JobFilter filter)
    {
        var where = new JobFilterSql(filter);
        if (filter.After is { } last)
            where.And($"(created_at, id) {(filter.Ascending ? '>' : '<')} ($last_at, $last_id)", ("$last_at", Columns.Micros(last.CreatedAt)), ("$last_id", Columns.Bytes(last.Id)));
        where.Add("$limit", filter.Limit + 1);
        var order = filter.Ascending ? "ASC" : "DESC";
        return ($"SELECT {Columns.Job} FROM jobs WHERE {where} ORDER BY created_at {order}, id {order} LIMIT $limit", where.Values);
    }

    private long Now() => Columns.Micros(time.GetUtcNow());
}

/// <summary>The WHERE of a filter and its values; the place in the list, order and limit are the caller's.</summary>
internal sealed class JobFilterSql
{
    private readonly StringBuilder _sql = new("tenant = $tenant");
    private readonly List<(string Name, object? Value)> _values = [];

    public JobFilterSql(JobFilter filter)
    {
        Add("$tenant", filter.Tenant);
        if (filter.States.Count > 0)
            And($"state IN ({string.Join(", ", filter.States.Select(s => (int)s))})");
        if (filter.Model is { } model)
            And("model = $model", ("$model", model));
        if (filter.Priority is { } priority)
            And("priority = $priority", ("$priority", priority));
        if (filter.CreatedAfter is { } after)
            And("created_at > $created_after", ("$created_after", Columns.Micros(after)));
        if (filter.CreatedBefore is { } before)
            And("created_at < $created_before", ("$created_before", Columns.Micros(before)));
        if (filter.ReplayOf is { } source)
            And("replay_of = $replay_of", ("$replay_of", Columns.Bytes(source)));
        if (filter.Fingerprint is { } fingerprint)
            And("fingerprint = $fingerprint", ("$fingerprint", fingerprint));
        foreach (var (at, (name, value)) in filter.Metadata.Index())
            And($"EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = $name{at} AND value = $value{at})", ($"$name{at}", name), ($"$value{at}", value));
    }

    public (string Name, object? Value)[] Values => [.. _values];

    public void And(string condition, params ReadOnlySpan<(string Name, object? Value)> more)
    {
        _sql.Append(" AND ").Append(condition);
        _values.AddRange(more);
    }

    public void Add(string name, object? value) => _values.Add((name, value));

    public override string ToString() => _sql.ToString();
}
