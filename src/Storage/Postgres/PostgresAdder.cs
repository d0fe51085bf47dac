using System.Threading.Channels;
using Millrace.Storage.Jobs;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <summary>Adds jobs, all that wait when a commit ends in the next one, so that concurrent submissions share a commit. No timer, so one caller pays no delay.</summary>
internal sealed class PostgresAdder : IAsyncDisposable
{
    private const int LargestGroup = 256;

    private readonly Channel<Waiting> _waiting = Channel.CreateUnbounded<Waiting>(new UnboundedChannelOptions { SingleReader = true });
    private readonly PostgresDatabase _database;
    private readonly StoreOptions _options;
    private readonly Task _loop;

    public PostgresAdder(PostgresDatabase database, StoreOptions options)
    {
        (_database, _options) = (database, options);
        _loop = Task.Run(RunAsync);
    }

    public Task<AddOutcome> AddAsync(NewJob job, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested(); // later it is too late: the outcome must be known
        var waiting = new Waiting(job);
        if (!_waiting.Writer.TryWrite(waiting))
            throw new StoreUnavailableException("The store is closed.");
        return waiting.Done.Task;
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _loop;
    }

    private async Task RunAsync()
    {
        var group = new List<Waiting>(LargestGroup);
        while (await _waiting.Reader.WaitToReadAsync())
        {
            while (group.Count < LargestGroup && _waiting.Reader.TryRead(out var waiting))
                group.Add(waiting);
            if (await TryAddAsync(group) is { } error)
            {
                // A database that is away is away for all. What else went wrong is one member's own doing: each is tried for itself.
                foreach (var waiting in group)
                {
                    if ((error is StoreUnavailableException || group.Count == 1 ? error : await TryAddAsync([waiting])) is { } own)
                        waiting.Done.TrySetException(own);
                }
            }
            group.Clear();
        }
    }

    private async Task<Exception?> TryAddAsync(List<Waiting> group)
    {
        try
        {
            var outcomes = await _database.WriteAsync(session => PostgresInsert.AddAsync(session, group.Select(w => w.Job).ToArray(), _options.Window), CancellationToken.None);
            foreach (var (at, waiting) in group.Index())
                waiting.Done.TrySetResult(outcomes[at]);
            return null;
        }
        catch (Exception error) { return error; } // it is the callers' to hear, and this loop must live
    }

    private sealed record Waiting(NewJob Job)
    {
        public TaskCompletionSource<AddOutcome> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>Inserts jobs with their inputs and keys, in one statement.</summary>
internal static class PostgresInsert
{
    /// <returns>An outcome for each job, in their order.</returns>
    public static async Task<AddOutcome[]> AddAsync(PostgresSession session, IReadOnlyList<NewJob> jobs, int windowSize)
    {
        var (now, windows) = await ReadWindowsAsync(session, jobs.Select(j => j.Model).Distinct().ToArray());
        var rows = jobs.Select((job, at) => Row.Of(job, now.AddMicroseconds(at), windows, windowSize)).ToArray(); // a microsecond apart, so that their order is kept
        var made = await InsertAsync(session, rows);
        var outcomes = new AddOutcome[jobs.Count];
        for (var at = 0; at < rows.Length; at++)
        {
            var (job, row, _) = rows[at];
            outcomes[at] = made.Contains(row.Id.Value) ? new AddOutcome.Added(row, row.DispatchedAt is not null)
                : await RecallAsync(session, job.Tenant, job.Key!) ?? new AddOutcome.Gone(); // its key was there, or is purged in this moment
        }
        return outcomes;
    }

    /// <summary>True while the model's window has room and nothing due waits outside it: a newcomer does not overtake.</summary>
    /// <remarks>Replicas that add at the same time may pass the window by what each has in its group; the next refill counts again.</remarks>
    private static bool TryTakePlace(Dictionary<string, (long Dispatched, bool HasWaiting)> windows, string model, int size)
    {
        var window = windows[model];
        if (window.HasWaiting || window.Dispatched >= size)
        {
            windows[model] = window with { HasWaiting = true };
            return false;
        }
        windows[model] = window with { Dispatched = window.Dispatched + 1 };
        return true;
    }

    private static async Task<(DateTimeOffset Now, Dictionary<string, (long Dispatched, bool HasWaiting)> Windows)> ReadWindowsAsync(PostgresSession session, string[] models)
    {
        const string sql = """
            SELECT store_now(), m.model, (SELECT count(*) FROM jobs WHERE model = m.model AND state = 0 AND dispatched_at IS NOT NULL),
                EXISTS (SELECT 1 FROM jobs WHERE model = m.model AND state = 0 AND dispatched_at IS NULL AND available_at <= store_now())
            FROM unnest($1) AS m(model)
            """;
        var windows = new Dictionary<string, (long, bool)>();
        var times = await session.QueryAsync(sql, row =>
        {
            windows[row.GetString(1)] = (row.GetInt64(2), row.GetBoolean(3));
            return Columns.Time(row, 0);
        }, Columns.Array(NpgsqlDbType.Text, models));
        return (times[0], windows);
    }

    private static async Task<HashSet<Guid>> InsertAsync(PostgresSession session, Row[] rows)
    {
        const string sql = """
            WITH new AS (SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
                    AS n(id, tenant, model, model_version, version_named, priority, max_attempts, created_at, available_at, expires_at, timeout, result_ttl,
                        not_before, dispatched_at, metadata, replay_of, traceparent, tracestate, body, scope, key, fingerprint)),
                keys AS (INSERT INTO idempotency_keys (tenant, scope, key, fingerprint, job_id, created_at)
                    SELECT tenant, scope, key, fingerprint, id, created_at FROM new WHERE key IS NOT NULL ORDER BY tenant, scope, key
                    ON CONFLICT DO NOTHING RETURNING job_id),
                made AS (INSERT INTO jobs (id, tenant, state, version, fence, model, model_version, version_named, priority, attempt, max_attempts, created_at,
                        available_at, expires_at, timeout, result_ttl, not_before, dispatched_at, metadata, replay_of, traceparent, tracestate)
                    SELECT id, tenant, 0, 1, 0, model, model_version, version_named, priority, 0, max_attempts, created_at,
                        available_at, expires_at, timeout, result_ttl, not_before, dispatched_at, metadata, replay_of, traceparent, tracestate
                    FROM new WHERE key IS NULL OR id IN (SELECT job_id FROM keys) RETURNING id),
                inputs AS (INSERT INTO job_inputs (job_id, body) SELECT new.id, new.body FROM new JOIN made ON made.id = new.id)
            SELECT id FROM made
            """;
        var made = await session.QueryAsync(sql, row => row.GetGuid(0),
            Columns.Array(NpgsqlDbType.Uuid, rows.Select(r => r.Job.Id.Value).ToArray()),
            Columns.Array(NpgsqlDbType.Text, rows.Select(r => r.New.Tenant).ToArray()),
            Columns.Array(NpgsqlDbType.Text, rows.Select(r => r.New.Model).ToArray()),
            Columns.Array(NpgsqlDbType.Text, rows.Select(r => r.New.ModelVersion).ToArray()),
            Columns.Array(NpgsqlDbType.Boolean, rows.Select(r => r.New.VersionNamed).ToArray()),
            Columns.Array(NpgsqlDbType.Smallint, rows.Select(r => (short)r.New.Priority).ToArray()),
            Columns.Array(NpgsqlDbType.Smallint, rows.Select(r => (short)r.New.MaxAttempts).ToArray()),
            Columns.Array(NpgsqlDbType.TimestampTz, rows.Select(r => r.Job.CreatedAt.UtcDateTime).ToArray()),
            Columns.Array(NpgsqlDbType.TimestampTz, rows.Select(r => r.Available.UtcDateTime).ToArray()),
            Columns.Array(NpgsqlDbType.TimestampTz, rows.Select(r => r.Job.ExpiresAt.UtcDateTime).ToArray()),
            Columns.Array(NpgsqlDbType.Interval, rows.Select(r => r.Job.Timeout).ToArray()),
            Columns.Array(NpgsqlDbType.Interval, rows.Select(r => r.New.ResultTtl).ToArray()),
            Columns.Array(NpgsqlDbType.TimestampTz, rows.Select(r => r.Job.NotBefore?.UtcDateTime).ToArray()),
            Columns.Array(NpgsqlDbType.TimestampTz, rows.Select(r => r.Job.DispatchedAt?.UtcDateTime).ToArray()),
            Columns.Array(NpgsqlDbType.Jsonb, rows.Select(r => Columns.Json(r.New.Metadata)).ToArray()),
            Columns.Array(NpgsqlDbType.Uuid, rows.Select(r => r.New.ReplayOf?.Value).ToArray()),
            Columns.Array(NpgsqlDbType.Text, rows.Select(r => r.New.TraceParent).ToArray()),
            Columns.Array(NpgsqlDbType.Text, rows.Select(r => r.New.TraceState).ToArray()),
            Columns.Array(NpgsqlDbType.Bytea, rows.Select(r => r.New.Input.ToArray()).ToArray()),
            Columns.Array(NpgsqlDbType.Text, rows.Select(r => r.New.Key?.Scope).ToArray()),
            Columns.Array(NpgsqlDbType.Text, rows.Select(r => r.New.Key?.Key).ToArray()),
            Columns.Array(NpgsqlDbType.Bytea, rows.Select(r => r.New.Key?.Fingerprint.ToArray()).ToArray()));
        return [.. made];
    }

    /// <summary>What the key made before; null when it made nothing.</summary>
    public static async Task<AddOutcome?> RecallAsync(PostgresSession session, string tenant, IdempotencyKey key)
    {
        if (await FindKeyAsync(session, tenant, key) is not { } known)
            return null;
        if (!known.Matches)
            return new AddOutcome.KeyReused();
        return await PostgresJobStore.FindAsync(session, tenant, known.Id) is { } made ? new AddOutcome.Replayed(made) : new AddOutcome.Gone();
    }

    /// <summary>What a key made, a job or a bulk replay, and whether from the same body; null when it made nothing.</summary>
    public static async Task<(JobId Id, bool Matches)?> FindKeyAsync(PostgresSession session, string tenant, IdempotencyKey key) =>
        (await session.QueryAsync("SELECT fingerprint, job_id FROM idempotency_keys WHERE tenant = $1 AND scope = $2 AND key = $3",
            row => (new JobId(row.GetGuid(1)), key.Fingerprint.Span.SequenceEqual(row.GetFieldValue<byte[]>(0))), tenant, key.Scope, key.Key)) is [var known] ? known : null;

    /// <param name="Job">The row as a read would give it.</param>
    private sealed record Row(NewJob New, Job Job, DateTimeOffset Available)
    {
        public static Row Of(NewJob job, DateTimeOffset now, Dictionary<string, (long, bool)> windows, int windowSize)
        {
            var available = job.AvailableFrom(now);
            return new Row(job, job.Accepted(now, dispatched: available <= now && TryTakePlace(windows, job.Model, windowSize)), available);
        }
    }
}
