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
        var available = job.AvailableFrom(now);
        var dispatched = available <= now && TryTakePlace(session, job.Model, Columns.Micros(now));
        var row = job.Accepted(now, dispatched);
        Insert(session, job, row, available);
        return new AddOutcome.Added(row, dispatched);
    }

    private static void Insert(SqliteSession session, NewJob job, Job row, DateTimeOffset available)
    {
        const string sql = """
            INSERT INTO jobs (id, tenant, state, version, fence, model, model_version, priority, attempt, max_attempts, created_at, available_at,
                expires_at, timeout, result_ttl, not_before, dispatched_at, metadata, traceparent, tracestate, version_named, replay_of)
            VALUES ($id, $tenant, 0, 1, 0, $model, $model_version, $priority, 0, $max_attempts, $created_at, $available_at,
                $expires_at, $timeout, $result_ttl, $not_before, $dispatched_at, $metadata, $traceparent, $tracestate, $version_named, $replay_of)
            """;
        var bytes = Columns.Bytes(row.Id);
        session.Execute(sql,
            ("$id", bytes), ("$tenant", job.Tenant), ("$model", job.Model), ("$model_version", job.ModelVersion), ("$priority", job.Priority),
            ("$max_attempts", job.MaxAttempts), ("$created_at", Columns.Micros(row.CreatedAt)), ("$available_at", Columns.Micros(available)),
            ("$expires_at", Columns.Micros(row.ExpiresAt)), ("$timeout", Columns.Micros(row.Timeout)),
            ("$result_ttl", Columns.Micros(job.ResultTtl)), ("$not_before", Columns.Micros(row.NotBefore)),
            ("$dispatched_at", Columns.Micros(row.DispatchedAt)), ("$metadata", Columns.Json(job.Metadata)),
            ("$traceparent", job.TraceParent), ("$tracestate", job.TraceState), ("$version_named", job.VersionNamed),
            ("$replay_of", job.ReplayOf is { } source ? Columns.Bytes(source) : null));
        session.Execute("INSERT INTO job_inputs (job_id, body) VALUES ($id, $body)", ("$id", bytes), ("$body", job.Input.ToArray()));
        if (job.Key is { } key)
            TakeKey(session, job.Tenant, key, bytes, Columns.Micros(row.CreatedAt));
    }

    internal static void TakeKey(SqliteSession session, string tenant, IdempotencyKey key, byte[] id, long now) => session.Execute("""
        INSERT INTO idempotency_keys (tenant, scope, key, fingerprint, job_id, created_at) VALUES ($tenant, $scope, $key, $fingerprint, $id, $now)
        """, ("$tenant", tenant), ("$scope", key.Scope), ("$key", key.Key), ("$fingerprint", key.Fingerprint.ToArray()), ("$id", id), ("$now", now));

    internal static AddOutcome? Recall(SqliteSession session, string tenant, IdempotencyKey key)
    {
        if (FindKey(session, tenant, key) is not { } known)
            return null;
        if (!known.Matches)
            return new AddOutcome.KeyReused();
        return SqliteJobStore.Find(session, tenant, known.Id) is { } job ? new AddOutcome.Replayed(job) : new AddOutcome.Gone();
    }

    /// <summary>What a key made, a job or a bulk replay, and whether from the same body; null when it made nothing.</summary>
    internal static (JobId Id, bool Matches)? FindKey(SqliteSession session, string tenant, IdempotencyKey key)
    {
        using var rows = session.Query(
            "SELECT fingerprint, job_id FROM idempotency_keys WHERE tenant = $tenant AND scope = $scope AND key = $key",
            ("$tenant", tenant), ("$scope", key.Scope), ("$key", key.Key));
        return rows.Read() ? (Columns.Id(rows, 1), key.Fingerprint.Span.SequenceEqual(rows.GetFieldValue<byte[]>(0))) : null;
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
