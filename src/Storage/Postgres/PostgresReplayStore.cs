using System.Text.Json;
using Millrace.Storage.Audit;
using Millrace.Storage.Jobs;
using Millrace.Storage.Replays;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresReplayStore(PostgresDatabase database, StoreOptions options) : IReplayStore
{
    public Task<IReadOnlyList<FailureGroup>> ListFailuresAsync(JobFilter filter, (DateTimeOffset LastSeen, string Fingerprint)? after, int limit, CancellationToken cancellation)
    {
        var where = new JobFilterSql(filter with { States = [JobState.Failed] });
        where.And("fingerprint IS NOT NULL");
        var page = after is { } last
            ? $"WHERE (last_seen < {where.Value(last.LastSeen.UtcDateTime)} OR (last_seen = {where.Value(last.LastSeen.UtcDateTime)} AND fingerprint > {where.Value(last.Fingerprint)}))" : "";
        var sql = $"""
            SELECT g.fingerprint, g.count, g.first_seen, g.last_seen, j.id, j.model, j.model_version, j.error FROM (
                SELECT * FROM (SELECT fingerprint, count(*) AS count, min(finished_at) AS first_seen, max(finished_at) AS last_seen,
                        (array_agg(id ORDER BY finished_at DESC, id DESC))[1] AS example FROM jobs WHERE {where} GROUP BY fingerprint) AS groups
                {page} ORDER BY last_seen DESC, fingerprint LIMIT {where.Value(limit + 1)}) AS g
            JOIN jobs j ON j.id = g.example ORDER BY g.last_seen DESC, g.fingerprint
            """;
        return database.ReadAsync<IReadOnlyList<FailureGroup>>(async session => await session.QueryAsync(sql, row =>
        {
            var error = Columns.Error(row, 7);
            return new FailureGroup(row.GetString(0), row.GetString(5), row.GetString(6), error?.Code ?? "", error?.Message ?? "", row.GetInt64(1),
                Columns.Time(row, 2), Columns.Time(row, 3), new JobId(row.GetGuid(4)));
        }, where.Values), cancellation);
    }

    public Task<ReplayOutcome> ReplayAsync(string tenant, JobId source, ReplaySettings settings, CancellationToken cancellation) => database.WriteAsync<ReplayOutcome>(async session =>
    {
        if (settings.Key is { } key && await PostgresInsert.RecallAsync(session, tenant, key) is { } known)
            return new ReplayOutcome.Made(known);
        if ((await SourcesAsync(session, [source], tenant)) is not [var found])
            return new ReplayOutcome.Unknown();
        if (!found.Job.State.IsFinal())
            return new ReplayOutcome.NotFinal();
        if (found.Input is null)
            return new ReplayOutcome.InputExpired();
        var made = (await PostgresInsert.AddAsync(session, [ReplayRules.NewJob(found, settings)], options.Window))[0];
        if (settings.Audit is { } audit && made is AddOutcome.Added added)
            await PostgresAudit.AddAsync(session, audit with { Detail = $"made {added.Job.Id}" });
        return new ReplayOutcome.Made(made);
    }, cancellation);

    public Task<ReplayPlan> PlanAsync(JobFilter filter, int maxJobs, CancellationToken cancellation) =>
        database.ReadAsync(async session => ReplayRules.Plan(await MatchAsync(session, filter, maxJobs)), cancellation);

    public Task<BulkOutcome> AddBulkAsync(NewBulkReplay replay, CancellationToken cancellation) => database.WriteAsync<BulkOutcome>(async session =>
    {
        var tenant = replay.Filter.Tenant;
        if (replay.Key is { } key)
        {
            // Taken first: a second order with this key waits here for the first one's commit.
            const string take = "INSERT INTO idempotency_keys (tenant, scope, key, fingerprint, job_id, created_at) VALUES ($1, $2, $3, $4, $5, store_now()) ON CONFLICT DO NOTHING";
            var id = JobId.New(await NowAsync(session));
            if (await session.ExecuteAsync(take, tenant, key.Scope, key.Key, key.Fingerprint.ToArray(), id.Value) == 0)
                return await RepeatAsync(session, tenant, key);
            return await AddAsync(session, replay, id);
        }
        return await AddAsync(session, replay, JobId.New(await NowAsync(session)));
    }, cancellation);

    public Task<BulkReplay?> ReadBulkAsync(string tenant, JobId id, CancellationToken cancellation) => database.ReadAsync(session => FindAsync(session, tenant, id), cancellation);

    public Task<BulkReplay?> CancelBulkAsync(string tenant, JobId id, AuditEntry audit, CancellationToken cancellation) => database.WriteAsync(async session =>
    {
        if (await FindAsync(session, tenant, id) is null)
            return null;
        await PostgresAudit.AddAsync(session, audit);
        await session.ExecuteAsync("UPDATE replays SET state = 2, finished_at = store_now() WHERE id = $1 AND tenant = $2 AND state = 0", id.Value, tenant);
        return await FindAsync(session, tenant, id);
    }, cancellation);

    public Task<IReadOnlyList<DueReplay>> DueBulksAsync(CancellationToken cancellation)
    {
        const string sql = "SELECT id, rate FROM replays WHERE state = 0 AND (rate IS NULL OR paced_at IS NULL OR store_now() >= paced_at + make_interval(secs => 1 / rate)) ORDER BY created_at";
        return database.ReadAsync<IReadOnlyList<DueReplay>>(async session =>
            await session.QueryAsync(sql, row => new DueReplay(new JobId(row.GetGuid(0)), row.IsDBNull(1) ? null : row.GetDouble(1))), cancellation);
    }

    public Task<IReadOnlyList<AddOutcome.Added>> StepBulkAsync(JobId id, Func<string, string?> version, int atMost, CancellationToken cancellation)
    {
        const string lockRow = "SELECT rate, settings, paced_at, store_now() FROM replays WHERE id = $1 AND state = 0 FOR UPDATE SKIP LOCKED";
        return database.WriteAsync<IReadOnlyList<AddOutcome.Added>>(async session =>
        {
            var locked = await session.QueryAsync(lockRow, row => (Rate: row.IsDBNull(0) ? (double?)null : row.GetDouble(0),
                Settings: JsonSerializer.Deserialize(row.GetString(1), StorageJson.Default.BulkSettings)!, PacedAt: Columns.TimeOrNull(row, 2), Now: Columns.Time(row, 3)), id.Value);
            if (locked is not [var replay])
                return []; // ended, or another process works on it
            var (count, pacedAt) = ReplayRules.Pace(replay.Rate, replay.PacedAt, replay.Now, atMost);
            if (count == 0)
                return [];
            await session.ExecuteAsync("UPDATE replays SET paced_at = $2 WHERE id = $1", id.Value, pacedAt.UtcDateTime);
            var made = await MakeAsync(session, id, replay.Settings, version, count);
            await session.ExecuteAsync("""
                UPDATE replays SET state = 1, finished_at = store_now() WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM replay_items WHERE replay_id = $1 AND state = 0)
                """, id.Value);
            return made;
        }, cancellation);
    }

    private async Task<AddOutcome.Added[]> MakeAsync(PostgresSession session, JobId id, BulkSettings settings, Func<string, string?> version, int count)
    {
        var items = await session.QueryAsync("SELECT source FROM replay_items WHERE replay_id = $1 AND state = 0 ORDER BY source LIMIT $2", row => new JobId(row.GetGuid(0)), id.Value, count);
        var ends = items.ToDictionary(source => source, _ => (State: ReplayItemState.Skipped, Job: (Guid?)null));
        var making = new List<NewJob>();
        foreach (var source in await SourcesAsync(session, items, tenant: null))
        {
            if (source.Input is null || !source.Job.State.IsFinal())
                continue;
            if (settings.For(source.Job, version) is { } own)
                making.Add(ReplayRules.NewJob(source, own));
            else
                ends[source.Job.Id] = (ReplayItemState.Failed, null);
        }
        var made = making.Count > 0 ? (await PostgresInsert.AddAsync(session, making, options.Window)).OfType<AddOutcome.Added>().ToArray() : [];
        foreach (var added in made)
            ends[added.Job.ReplayOf!.Value] = (ReplayItemState.Made, added.Job.Id.Value);
        await session.ExecuteAsync("UPDATE replay_items SET state = e.state, job_id = e.job FROM unnest($2, $3, $4) AS e(source, state, job) WHERE replay_id = $1 AND replay_items.source = e.source",
            id.Value, Columns.Array(NpgsqlDbType.Uuid, ends.Keys.Select(k => k.Value).ToArray()), Columns.Array(NpgsqlDbType.Smallint, ends.Values.Select(e => (short)e.State).ToArray()),
            Columns.Array(NpgsqlDbType.Uuid, ends.Values.Select(e => e.Job).ToArray()));
        return made;
    }

    private static async Task<BulkOutcome> AddAsync(PostgresSession session, NewBulkReplay replay, JobId id)
    {
        var matched = await MatchAsync(session, replay.Filter, replay.MaxJobs);
        if (replay.Plan is { } plan && plan != ReplayRules.Plan(matched).Plan)
        {
            await session.ExecuteAsync("DELETE FROM idempotency_keys WHERE job_id = $1", id.Value); // a refusal uses up no key
            return new BulkOutcome.PlanChanged();
        }
        await session.ExecuteAsync("""
            INSERT INTO replays (id, tenant, state, rate, settings, created_at, finished_at) VALUES ($1, $2, $3, $4, $5, store_now(), CASE WHEN $3 = 1 THEN store_now() END)
            """, id.Value, replay.Filter.Tenant, (short)(matched.Count == 0 ? BulkReplayState.Finished : BulkReplayState.Running), Columns.Typed(NpgsqlDbType.Double, replay.RatePerSecond),
            JsonSerializer.Serialize(BulkSettings.Of(replay), StorageJson.Default.BulkSettings));
        await PostgresAudit.AddAsync(session, replay.Audit with { Target = ReplayRules.Name(id), Detail = $"{matched.Count} jobs" });
        await session.ExecuteAsync("INSERT INTO replay_items (replay_id, source) SELECT $1, * FROM unnest($2)", id.Value, Columns.Array(NpgsqlDbType.Uuid, matched.Select(m => m.Id.Value).ToArray()));
        return new BulkOutcome.Added((await FindAsync(session, replay.Filter.Tenant, id))!);
    }

    private static async Task<BulkOutcome> RepeatAsync(PostgresSession session, string tenant, IdempotencyKey key) =>
        await PostgresInsert.FindKeyAsync(session, tenant, key) is { Matches: true } known && await FindAsync(session, tenant, known.Id) is { } replay
            ? new BulkOutcome.Repeated(replay) : new BulkOutcome.KeyReused();

    private static async Task<BulkReplay?> FindAsync(PostgresSession session, string tenant, JobId id)
    {
        const string sql = """
            SELECT state, rate, created_at, finished_at, i.matched, i.made, i.skipped, i.failed FROM replays CROSS JOIN LATERAL (
                SELECT count(*)::int AS matched, count(*) FILTER (WHERE state = 1)::int AS made, count(*) FILTER (WHERE state = 2)::int AS skipped,
                    count(*) FILTER (WHERE state = 3)::int AS failed FROM replay_items WHERE replay_id = replays.id) AS i
            WHERE id = $1 AND tenant = $2
            """;
        return (await session.QueryAsync(sql, row => new BulkReplay(id, tenant, (BulkReplayState)row.GetInt16(0), row.GetInt32(4), row.GetInt32(5), row.GetInt32(6), row.GetInt32(7),
            row.IsDBNull(1) ? null : row.GetDouble(1), Columns.Time(row, 2), Columns.TimeOrNull(row, 3)), id.Value, tenant)) is [var replay] ? replay : null;
    }

    private static Task<List<(JobId Id, JobState State, bool HasInput)>> MatchAsync(PostgresSession session, JobFilter filter, int maxJobs)
    {
        var where = new JobFilterSql(filter);
        var sql = $"""
            SELECT id, state, EXISTS (SELECT 1 FROM job_inputs WHERE job_id = jobs.id) AND (result_expires_at IS NULL OR result_expires_at > store_now())
            FROM jobs WHERE {where} ORDER BY created_at, id LIMIT {where.Value(maxJobs)}
            """;
        return session.QueryAsync(sql, row => (new JobId(row.GetGuid(0)), (JobState)row.GetInt16(1), row.GetBoolean(2)), where.Values);
    }

    /// <summary>Those that are there, the oldest first.</summary>
    /// <param name="tenant">Null for whichever it is.</param>
    private static Task<List<ReplaySource>> SourcesAsync(PostgresSession session, IEnumerable<JobId> ids, string? tenant)
    {
        const string sql = $"""
            SELECT {Columns.Job}, result_ttl, (SELECT body FROM job_inputs WHERE job_id = jobs.id AND (result_expires_at IS NULL OR result_expires_at > store_now()))
            FROM jobs WHERE id = ANY ($1) AND ($2 IS NULL OR tenant = $2) ORDER BY id
            """;
        return session.QueryAsync(sql, row => new ReplaySource(Columns.ReadJob(row), row.GetTimeSpan(24), row.IsDBNull(25) ? (ReadOnlyMemory<byte>?)null : row.GetFieldValue<byte[]>(25)),
            Columns.Array(NpgsqlDbType.Uuid, ids.Select(id => id.Value).ToArray()), Columns.Typed(NpgsqlDbType.Text, tenant));
    }

    private static async Task<DateTimeOffset> NowAsync(PostgresSession session) => (await session.QueryAsync("SELECT store_now()", row => Columns.Time(row, 0)))[0];
}
