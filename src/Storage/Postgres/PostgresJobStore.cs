using System.Text;
using Millrace.Storage.Jobs;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresJobStore(PostgresDatabase database, StoreOptions options) : IJobStore, IAsyncDisposable
{
    private readonly PostgresAdder _adder = new(database, options);

    public Task<AddOutcome> AddAsync(NewJob job, CancellationToken cancellation) => _adder.AddAsync(job, cancellation);

    public Task<Job?> ReadAsync(string tenant, JobId id, CancellationToken cancellation) => database.ReadAsync(session => FindAsync(session, tenant, id), cancellation);

    public Task<JobDetails?> ReadDetailsAsync(string tenant, JobId id, CancellationToken cancellation) => database.ReadAsync(async session =>
    {
        if (await FindAsync(session, tenant, id) is not { } job)
            return null;
        var attempts = new List<JobAttempt>();
        long? before = null;
        const string history = "SELECT attempt, started_at, finished_at, worker, error FROM job_attempts WHERE job_id = $1 ORDER BY attempt";
        const string position = """
            SELECT count(*) FROM (SELECT 1 FROM jobs WHERE model = $1 AND tenant = $2 AND state = 0 AND dispatched_at IS NOT NULL AND (priority, created_at, id) < ($3, $4, $5)
                UNION ALL SELECT 1 FROM jobs WHERE model = $1 AND tenant = $2 AND state = 0 AND dispatched_at IS NULL AND (priority, created_at, id) < ($3, $4, $5)
                LIMIT $6) AS earlier
            """;
        var queries = new List<(string, object?[])> { (history, [id.Value]) };
        if (job.State == JobState.Queued)
            queries.Add((position, [job.Model, tenant, (short)job.Priority, job.CreatedAt.UtcDateTime, id.Value, JobDetails.FarthestPosition]));
        await session.QueryAllAsync((query, row) =>
        {
            if (query == 1)
                before = row.GetInt64(0);
            else
                attempts.Add(new JobAttempt(row.GetInt16(0), Columns.Time(row, 1), Columns.TimeOrNull(row, 2), Columns.Text(row, 3), job.ModelVersion, Columns.Error(row, 4)));
        }, [.. queries]);
        return JobDetails.Of(job, attempts, before);
    }, cancellation);

    public Task<ReadOnlyMemory<byte>?> ReadResultAsync(string tenant, JobId id, CancellationToken cancellation)
    {
        const string sql = """
            SELECT r.body FROM job_results r JOIN jobs j ON j.id = r.job_id WHERE r.job_id = $1 AND j.tenant = $2 AND j.result_expires_at > store_now()
            """;
        return database.ReadAsync<ReadOnlyMemory<byte>?>(async session =>
            await session.ScalarAsync(sql, id.Value, tenant) is byte[] body ? body : (ReadOnlyMemory<byte>?)null, cancellation);
    }

    public Task<CancelOutcome?> CancelAsync(string tenant, JobId id, string reason, CancellationToken cancellation)
    {
        const string lockRow = $"SELECT {Columns.Job} FROM jobs WHERE id = $1 AND tenant = $2 FOR UPDATE";
        const string sql = $"""
            UPDATE jobs SET state = 4, fence = fence + 1, version = version + 1, finished_at = store_now(), lease_until = NULL, error = $3,
                result_expires_at = store_now() + result_ttl, purge_at = store_now() + result_ttl
            WHERE id = $1 AND tenant = $2 AND state IN (0, 1)
            RETURNING {Columns.Job}
            """; // 0 rows: final already
        return database.WriteAsync<CancelOutcome?>(async session =>
        {
            if ((await session.QueryAsync(lockRow, Columns.ReadJob, id.Value, tenant)) is not [var before])
                return null;
            var error = Columns.Json(new JobError(reason, "The job was canceled.", before.Attempt, Retryable: false));
            var changed = await session.QueryAsync(sql, Columns.ReadJob, id.Value, tenant, error);
            return changed is [var job] ? new CancelOutcome(job, true, before.State == JobState.Running) : new CancelOutcome(before, false, false);
        }, cancellation);
    }

    public Task<DeleteOutcome?> DeleteAsync(string tenant, JobId id, CancellationToken cancellation)
    {
        const string lockRow = "SELECT state FROM jobs WHERE id = $1 AND tenant = $2 FOR UPDATE";
        const string sql = """
            WITH gone AS (DELETE FROM jobs WHERE id = $1 AND state >= 2 RETURNING id),
                inputs AS (DELETE FROM job_inputs WHERE job_id IN (SELECT id FROM gone)),
                results AS (DELETE FROM job_results WHERE job_id IN (SELECT id FROM gone))
            DELETE FROM job_attempts WHERE job_id IN (SELECT id FROM gone)
            """;
        return database.WriteAsync<DeleteOutcome?>(async session =>
        {
            if (await session.ScalarAsync(lockRow, id.Value, tenant) is not short state)
                return null;
            if (!((JobState)state).IsFinal())
                return DeleteOutcome.NotFinal;
            await session.ExecuteAsync(sql, id.Value);
            return DeleteOutcome.Deleted;
        }, cancellation);
    }

    public Task<IReadOnlyList<Job>> ListAsync(JobFilter filter, CancellationToken cancellation)
    {
        var where = new JobFilterSql(filter);
        if (filter.After is { } last)
            where.And($"(created_at, id) {(filter.Ascending ? '>' : '<')} ({where.Value(last.CreatedAt.UtcDateTime)}, {where.Value(last.Id.Value)})");
        var order = filter.Ascending ? "ASC" : "DESC";
        var sql = $"SELECT {Columns.Job} FROM jobs WHERE {where} ORDER BY created_at {order}, id {order} LIMIT {where.Value(filter.Limit + 1)}";
        return database.ReadAsync<IReadOnlyList<Job>>(async session => await session.QueryAsync(sql, Columns.ReadJob, where.Values), cancellation);
    }

    public Task<AddOutcome?> RecallAsync(string tenant, IdempotencyKey key, CancellationToken cancellation) =>
        database.ReadAsync(session => PostgresInsert.RecallAsync(session, tenant, key), cancellation);

    public Task<IReadOnlyList<QueueDepth>> ReadQueuesAsync(string? model, CancellationToken cancellation)
    {
        const string sql = """
            SELECT model, tenant, sum(queued)::bigint, sum(running)::bigint, min(oldest), store_now() - min(due) FILTER (WHERE due <= store_now()) FROM (
                SELECT model, tenant, count(*) AS queued, 0 AS running, min(created_at) AS oldest, min(available_at) AS due FROM jobs
                    WHERE state = 0 AND dispatched_at IS NOT NULL AND ($1 IS NULL OR model = $1) GROUP BY model, tenant
                UNION ALL SELECT model, tenant, count(*), 0, min(created_at), min(available_at) FROM jobs
                    WHERE state = 0 AND dispatched_at IS NULL AND ($1 IS NULL OR model = $1) GROUP BY model, tenant
                UNION ALL SELECT model, tenant, 0, count(*), NULL, NULL FROM jobs WHERE state = 1 AND ($1 IS NULL OR model = $1) GROUP BY model, tenant) AS counts
            GROUP BY model, tenant ORDER BY model, tenant
            """;
        return database.ReadAsync<IReadOnlyList<QueueDepth>>(async session => await session.QueryAsync(sql,
            row => new QueueDepth(row.GetString(0), row.GetString(1), row.GetInt64(2), row.GetInt64(3), Columns.TimeOrNull(row, 4), row.IsDBNull(5) ? null : row.GetTimeSpan(5)), Columns.Typed(NpgsqlDbType.Text, model)), cancellation);
    }

    public ValueTask DisposeAsync() => _adder.DisposeAsync();

    internal static async Task<Job?> FindAsync(PostgresSession session, string tenant, JobId id) =>
        (await session.QueryAsync($"SELECT {Columns.Job} FROM jobs WHERE id = $1 AND tenant = $2", Columns.ReadJob, id.Value, tenant)) is [var job] ? job : null;
}

/// <summary>The WHERE of a filter and its values; the place in the list, order and limit are the caller's.</summary>
internal sealed class JobFilterSql
{
    private readonly StringBuilder _sql = new();
    private readonly List<object?> _values = [];

    public JobFilterSql(JobFilter filter)
    {
        _sql.Append("tenant = ").Append(Value(filter.Tenant));
        if (filter.States.Count > 0)
            And($"state IN ({string.Join(", ", filter.States.Select(s => (int)s))})");
        if (filter.Model is { } model)
            And($"model = {Value(model)}");
        if (filter.Priority is { } priority)
            And($"priority = {Value(priority)}");
        if (filter.CreatedAfter is { } after)
            And($"created_at > {Value(Microseconds.Whole(after).UtcDateTime)}");
        if (filter.CreatedBefore is { } before)
            And($"created_at < {Value(Microseconds.Whole(before).UtcDateTime)}");
        if (filter.ReplayOf is { } source)
            And($"replay_of = {Value(source.Value)}");
        if (filter.Fingerprint is { } fingerprint)
            And($"fingerprint = {Value(fingerprint)}");
        foreach (var (name, value) in filter.Metadata)
            And($"metadata ->> {Value(name)} = {Value(value)}");
    }

    public object?[] Values => [.. _values];

    public void And(string condition) => _sql.Append(" AND ").Append(condition);

    public string Value(object value)
    {
        _values.Add(value);
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"${_values.Count}");
    }

    public override string ToString() => _sql.ToString();
}
