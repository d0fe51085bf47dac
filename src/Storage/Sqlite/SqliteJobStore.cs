using System.Text;
using Millrace.Storage.Jobs;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteJobStore(SqliteDatabase database, StoreOptions options, TimeProvider time) : IJobStore
{
    /// <summary>A position further back than this is not counted: it would cost the writer's time and tell nobody more.</summary>
    private const int FarthestPosition = 10_000;

    public Task<AddOutcome> AddAsync(NewJob job, CancellationToken cancellation) => database.WriteAsync(session => Add(session, job), cancellation);

    public Task<Job?> ReadAsync(string tenant, JobId id, CancellationToken cancellation) =>
        Task.FromResult(database.Read(session => Find(session, tenant, id)));

    public Task<JobDetails?> ReadDetailsAsync(string tenant, JobId id, CancellationToken cancellation) => Task.FromResult(database.Read(session =>
        Find(session, tenant, id) is { } job ? new JobDetails(job, Attempts(session, job), Position(session, job)) : null));

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

    public Task<IReadOnlyList<QueueDepth>> ReadQueuesAsync(string? model, CancellationToken cancellation)
    {
        const string sql = """
            SELECT model, SUM(queued), SUM(running), MIN(oldest) FROM (
                SELECT model, COUNT(*) AS queued, 0 AS running, MIN(created_at) AS oldest FROM jobs
                    WHERE state = 0 AND dispatched_at IS NOT NULL AND ($model IS NULL OR model = $model) GROUP BY model
                UNION ALL SELECT model, COUNT(*), 0, MIN(created_at) FROM jobs
                    WHERE state = 0 AND dispatched_at IS NULL AND ($model IS NULL OR model = $model) GROUP BY model
                UNION ALL SELECT model, 0, COUNT(*), NULL FROM jobs WHERE state = 1 AND ($model IS NULL OR model = $model) GROUP BY model)
            GROUP BY model ORDER BY model
            """;
        return Task.FromResult(database.Read(session =>
        {
            var queues = new List<QueueDepth>();
            using var rows = session.Query(sql, ("$model", model));
            while (rows.Read())
                queues.Add(new QueueDepth(rows.GetString(0), rows.GetInt64(1), rows.GetInt64(2), Columns.TimeOrNull(rows, 3)));
            return (IReadOnlyList<QueueDepth>)queues;
        }));
    }

    private AddOutcome Add(SqliteSession session, NewJob job)
    {
        if (job.Key is { } key && Recall(session, job.Tenant, key) is { } known)
            return known;
        var now = time.GetUtcNow();
        var id = JobId.New(now);
        var available = job.NotBefore is { } start && start > now ? start : now;
        var dispatched = available <= now && TryTakePlace(session, job.Model, Columns.Micros(now));
        Insert(session, job, id, now, available, dispatched);
        return new AddOutcome.Added(NewRow(job, id, now, dispatched), dispatched);
    }

    private static void Insert(SqliteSession session, NewJob job, JobId id, DateTimeOffset now, DateTimeOffset available, bool dispatched)
    {
        const string sql = """
            INSERT INTO jobs (id, tenant, state, version, fence, model, model_version, priority, attempt, max_attempts, created_at, available_at,
                expires_at, timeout, result_ttl, not_before, dispatched_at, metadata, traceparent, tracestate)
            VALUES ($id, $tenant, 0, 1, 0, $model, $model_version, $priority, 0, $max_attempts, $created_at, $available_at,
                $expires_at, $timeout, $result_ttl, $not_before, $dispatched_at, $metadata, $traceparent, $tracestate)
            """;
        var bytes = Columns.Bytes(id);
        session.Execute(sql,
            ("$id", bytes), ("$tenant", job.Tenant), ("$model", job.Model), ("$model_version", job.ModelVersion), ("$priority", job.Priority),
            ("$max_attempts", job.MaxAttempts), ("$created_at", Columns.Micros(now)), ("$available_at", Columns.Micros(available)),
            ("$expires_at", Columns.Micros(now + job.ExpiresIn)), ("$timeout", Columns.Micros(job.Timeout)),
            ("$result_ttl", Columns.Micros(job.ResultTtl)), ("$not_before", Columns.Micros(job.NotBefore)),
            ("$dispatched_at", dispatched ? Columns.Micros(now) : null), ("$metadata", Columns.Json(job.Metadata)),
            ("$traceparent", job.TraceParent), ("$tracestate", job.TraceState));
        session.Execute("INSERT INTO job_inputs (job_id, body) VALUES ($id, $body)", ("$id", bytes), ("$body", job.Input.ToArray()));
        if (job.Key is { } key)
        {
            session.Execute("""
                INSERT INTO idempotency_keys (tenant, scope, key, fingerprint, job_id, created_at)
                VALUES ($tenant, $scope, $key, $fingerprint, $id, $now)
                """, ("$tenant", job.Tenant), ("$scope", key.Scope), ("$key", key.Key), ("$fingerprint", key.Fingerprint.ToArray()),
                ("$id", bytes), ("$now", Columns.Micros(now)));
        }
    }

    /// <summary>The row just written, as a read would give it.</summary>
    private static Job NewRow(NewJob job, JobId id, DateTimeOffset now, bool dispatched)
    {
        var micros = Columns.Stored(now);
        return new Job
        {
            Id = id,
            Tenant = job.Tenant,
            State = JobState.Queued,
            Version = 1,
            Model = job.Model,
            ModelVersion = job.ModelVersion,
            Priority = job.Priority,
            Attempt = 0,
            MaxAttempts = job.MaxAttempts,
            CreatedAt = micros,
            NotBefore = job.NotBefore is { } start ? Columns.Stored(start) : null,
            DispatchedAt = dispatched ? micros : null,
            ExpiresAt = Columns.Stored(now + job.ExpiresIn),
            Timeout = TimeSpan.FromMicroseconds(Columns.Micros(job.Timeout)),
            Metadata = job.Metadata,
            TraceParent = job.TraceParent,
        };
    }

    private static AddOutcome? Recall(SqliteSession session, string tenant, IdempotencyKey key)
    {
        using var rows = session.Query(
            "SELECT fingerprint, job_id FROM idempotency_keys WHERE tenant = $tenant AND scope = $scope AND key = $key",
            ("$tenant", tenant), ("$scope", key.Scope), ("$key", key.Key));
        if (!rows.Read())
            return null;
        if (!key.Fingerprint.Span.SequenceEqual(rows.GetFieldValue<byte[]>(0)))
            return new AddOutcome.KeyReused();
        return Find(session, tenant, Columns.Id(rows, 1)) is { } job ? new AddOutcome.Replayed(job) : new AddOutcome.Gone();
    }

    /// <summary>True while the model's window has room and nothing due waits outside it: a newcomer does not overtake.</summary>
    private bool TryTakePlace(SqliteSession session, string model, long now)
    {
        const string sql = """
            SELECT (SELECT COUNT(*) FROM jobs WHERE model = $model AND state = 0 AND dispatched_at IS NOT NULL),
                EXISTS (SELECT 1 FROM jobs WHERE model = $model AND state = 0 AND dispatched_at IS NULL AND available_at <= $now)
            """;
        if (!session.Windows.TryGetValue(model, out var window))
        {
            using var rows = session.Query(sql, ("$model", model), ("$now", now));
            rows.Read();
            window = new Window(rows.GetInt32(0), rows.GetBoolean(1));
        }
        var room = !window.HasWaiting && window.Dispatched < options.Window;
        session.Windows[model] = room ? window with { Dispatched = window.Dispatched + 1 } : window with { HasWaiting = true };
        return room;
    }

    private static Job? Find(SqliteSession session, string tenant, JobId id)
    {
        using var rows = session.Query(
            $"SELECT {Columns.Job} FROM jobs WHERE id = $id AND tenant = $tenant", ("$id", Columns.Bytes(id)), ("$tenant", tenant));
        return rows.Read() ? Columns.ReadJob(rows) : null;
    }

    private static List<JobAttempt> Attempts(SqliteSession session, Job job)
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
        if (job.Attempt > 0 && job.StartedAt is { } started && attempts.All(a => a.Attempt != job.Attempt))
            attempts.Add(new JobAttempt(job.Attempt, started, job.FinishedAt, job.Worker, job.ModelVersion, job.Error?.Attempt == job.Attempt ? job.Error : null));
        return attempts;
    }

    private static int? Position(SqliteSession session, Job job)
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
        var before = (long)session.Scalar(sql, ("$model", job.Model), ("$tenant", job.Tenant), ("$priority", job.Priority),
            ("$created_at", Columns.Micros(job.CreatedAt)), ("$id", Columns.Bytes(job.Id)), ("$most", FarthestPosition))!;
        return before < FarthestPosition ? (int)before : null;
    }

    private static (string Sql, (string Name, object? Value)[] Values) ListQuery(JobFilter filter)
    {
        var sql = new StringBuilder($"SELECT {Columns.Job} FROM jobs WHERE tenant = $tenant");
        var values = new List<(string Name, object? Value)> { ("$tenant", filter.Tenant) };
        void And(string condition, params ReadOnlySpan<(string Name, object? Value)> more)
        {
            sql.Append(" AND ").Append(condition);
            values.AddRange(more);
        }
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
        foreach (var (at, (name, value)) in filter.Metadata.Index())
            And($"EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = $name{at} AND value = $value{at})", ($"$name{at}", name), ($"$value{at}", value));
        if (filter.After is { } last)
            And($"(created_at, id) {(filter.Ascending ? '>' : '<')} ($last_at, $last_id)", ("$last_at", Columns.Micros(last.CreatedAt)), ("$last_id", Columns.Bytes(last.Id)));
        var order = filter.Ascending ? "ASC" : "DESC";
        sql.Append(System.Globalization.CultureInfo.InvariantCulture, $" ORDER BY created_at {order}, id {order} LIMIT $limit");
        values.Add(("$limit", filter.Limit + 1));
        return (sql.ToString(), values.ToArray());
    }

    private long Now() => Columns.Micros(time.GetUtcNow());
}
