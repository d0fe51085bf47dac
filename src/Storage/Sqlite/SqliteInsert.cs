using Millrace.Storage.Jobs;

namespace Millrace.Storage.Sqlite;

/// <summary>Inserts a job with its input and its key, within a transaction of the writer.</summary>
public sealed class SqliteInsert(StoreOptions options, TimeProvider time)
{
    internal AddOutcome Add(SqliteSession session, NewJob job)
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
                expires_at, timeout, result_ttl, not_before, dispatched_at, metadata, traceparent, tracestate, version_named, replay_of)
            VALUES ($id, $tenant, 0, 1, 0, $model, $model_version, $priority, 0, $max_attempts, $created_at, $available_at,
                $expires_at, $timeout, $result_ttl, $not_before, $dispatched_at, $metadata, $traceparent, $tracestate, $version_named, $replay_of)
            """;
        var bytes = Columns.Bytes(id);
        session.Execute(sql,
            ("$id", bytes), ("$tenant", job.Tenant), ("$model", job.Model), ("$model_version", job.ModelVersion), ("$priority", job.Priority),
            ("$max_attempts", job.MaxAttempts), ("$created_at", Columns.Micros(now)), ("$available_at", Columns.Micros(available)),
            ("$expires_at", Columns.Micros(now + job.ExpiresIn)), ("$timeout", Columns.Micros(job.Timeout)),
            ("$result_ttl", Columns.Micros(job.ResultTtl)), ("$not_before", Columns.Micros(job.NotBefore)),
            ("$dispatched_at", dispatched ? Columns.Micros(now) : null), ("$metadata", Columns.Json(job.Metadata)),
            ("$traceparent", job.TraceParent), ("$tracestate", job.TraceState), ("$version_named", job.VersionNamed),
            ("$replay_of", job.ReplayOf is { } source ? Columns.Bytes(source) : null));
        session.Execute("INSERT INTO job_inputs (job_id, body) VALUES ($id, $body)", ("$id", bytes), ("$body", job.Input.ToArray()));
        if (job.Key is { } key)
            TakeKey(session, job.Tenant, key, bytes, Columns.Micros(now));
    }

    internal static void TakeKey(SqliteSession session, string tenant, IdempotencyKey key, byte[] id, long now) => session.Execute("""
        INSERT INTO idempotency_keys (tenant, scope, key, fingerprint, job_id, created_at) VALUES ($tenant, $scope, $key, $fingerprint, $id, $now)
        """, ("$tenant", tenant), ("$scope", key.Scope), ("$key", key.Key), ("$fingerprint", key.Fingerprint.ToArray()), ("$id", id), ("$now", now));

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
            VersionNamed = job.VersionNamed,
            ReplayOf = job.ReplayOf,
            TraceParent = job.TraceParent,
        };
    }

    internal static AddOutcome? Recall(SqliteSession session, string tenant, IdempotencyKey key)
    {
        using var rows = session.Query(
            "SELECT fingerprint, job_id FROM idempotency_keys WHERE tenant = $tenant AND scope = $scope AND key = $key",
            ("$tenant", tenant), ("$scope", key.Scope), ("$key", key.Key));
        if (!rows.Read())
            return null;
        if (!key.Fingerprint.Span.SequenceEqual(rows.GetFieldValue<byte[]>(0)))
            return new AddOutcome.KeyReused();
        return SqliteJobStore.Find(session, tenant, Columns.Id(rows, 1)) is { } job ? new AddOutcome.Replayed(job) : new AddOutcome.Gone();
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
}
