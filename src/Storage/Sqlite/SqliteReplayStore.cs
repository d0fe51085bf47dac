using System.Text.Json;
using Millrace.Storage.Audit;
using Millrace.Storage.Jobs;
using Millrace.Storage.Replays;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteReplayStore(SqliteDatabase database, SqliteInsert insert, TimeProvider time) : IReplayStore
{
    public Task<IReadOnlyList<FailureGroup>> ListFailuresAsync(JobFilter filter, (DateTimeOffset LastSeen, string Fingerprint)? after, int limit, CancellationToken cancellation)
    {
        var where = new JobFilterSql(filter with { States = [JobState.Failed] });
        where.And("fingerprint IS NOT NULL");
        var page = "";
        if (after is { } last)
        {
            page = "WHERE (last_seen < $last_seen OR (last_seen = $last_seen AND fingerprint > $last_print))";
            where.Add("$last_seen", Columns.Micros(last.LastSeen));
            where.Add("$last_print", last.Fingerprint);
        }
        where.Add("$limit", limit + 1);
        var sql = $"""
            SELECT g.fingerprint, g.count, g.first_seen, g.last_seen, j.id, j.model, j.model_version, j.error FROM (
                SELECT * FROM (SELECT fingerprint, COUNT(*) AS count, MIN(finished_at) AS first_seen, MAX(finished_at) AS last_seen FROM jobs WHERE {where} GROUP BY fingerprint)
                {page} ORDER BY last_seen DESC, fingerprint LIMIT $limit) AS g
            JOIN jobs j ON j.id = (SELECT id FROM jobs WHERE {where} AND fingerprint = g.fingerprint AND finished_at = g.last_seen ORDER BY id DESC LIMIT 1)
            ORDER BY g.last_seen DESC, g.fingerprint
            """;
        return Task.FromResult(database.Read(session =>
        {
            var groups = new List<FailureGroup>();
            using var rows = session.QueryOnce(sql, where.Values);
            while (rows.Read())
            {
                var error = Columns.Error(rows, 7);
                groups.Add(new FailureGroup(rows.GetString(0), rows.GetString(5), rows.GetString(6), error?.Code ?? "", error?.Message ?? "", rows.GetInt64(1),
                    Columns.Time(rows.GetInt64(2)), Columns.Time(rows.GetInt64(3)), Columns.Id(rows, 4)));
            }
            return (IReadOnlyList<FailureGroup>)groups;
        }));
    }

    public Task<ReplayOutcome> ReplayAsync(string tenant, JobId source, ReplaySettings settings, CancellationToken cancellation) => database.WriteAsync<ReplayOutcome>(session =>
    {
        if (settings.Key is { } key && SqliteInsert.Recall(session, tenant, key) is { } known)
            return new ReplayOutcome.Made(known);
        if (Source(session, source, tenant) is not { } found)
            return new ReplayOutcome.Unknown();
        if (!found.Job.State.IsFinal())
            return new ReplayOutcome.NotFinal();
        if (found.Input is null)
            return new ReplayOutcome.InputExpired();
        var made = insert.Add(session, ReplayRules.NewJob(found, settings));
        if (settings.Audit is { } audit && made is AddOutcome.Added added)
            SqliteAudit.Add(session, audit with { Detail = $"made {added.Job.Id}" }, time.GetUtcNow());
        return new ReplayOutcome.Made(made);
    }, cancellation);

    public Task<ReplayPlan> PlanAsync(JobFilter filter, int maxJobs, CancellationToken cancellation) =>
        Task.FromResult(database.Read(session => ReplayRules.Plan(Match(session, filter, maxJobs))));

    public Task<BulkOutcome> AddBulkAsync(NewBulkReplay replay, CancellationToken cancellation) => database.WriteAsync<BulkOutcome>(session =>
    {
        var tenant = replay.Filter.Tenant;
        if (replay.Key is { } key && Known(session, tenant, key) is { } known)
            return known;
        var matched = Match(session, replay.Filter, replay.MaxJobs);
        if (replay.Plan is { } plan && plan != ReplayRules.Plan(matched).Plan)
            return new BulkOutcome.PlanChanged();
        var name = JobId.New(time.GetUtcNow());
        var id = Columns.Bytes(name);
        SqliteAudit.Add(session, replay.Audit with { Target = ReplayRules.Name(name), Detail = $"{matched.Count} jobs" }, time.GetUtcNow());
        session.Execute("INSERT INTO replays (id, tenant, state, rate, settings, created_at, finished_at) VALUES ($id, $tenant, $state, $rate, $settings, $now, $finished)",
            ("$id", id), ("$tenant", tenant), ("$state", (int)(matched.Count == 0 ? BulkReplayState.Finished : BulkReplayState.Running)), ("$rate", replay.RatePerSecond),
            ("$settings", JsonSerializer.Serialize(BulkSettings.Of(replay), StorageJson.Default.BulkSettings)), ("$now", Now()), ("$finished", matched.Count == 0 ? Now() : null));
        foreach (var (source, _, _) in matched)
            session.Execute("INSERT INTO replay_items (replay_id, source) VALUES ($id, $source)", ("$id", id), ("$source", Columns.Bytes(source)));
        if (replay.Key is { } used)
            SqliteInsert.TakeKey(session, tenant, used, id, Now());
        return new BulkOutcome.Added(Find(session, tenant, id)!);
    }, cancellation);

    public Task<BulkReplay?> ReadBulkAsync(string tenant, JobId id, CancellationToken cancellation) =>
        Task.FromResult(database.Read(session => Find(session, tenant, Columns.Bytes(id))));

    public Task<BulkReplay?> CancelBulkAsync(string tenant, JobId id, AuditEntry audit, CancellationToken cancellation) => database.WriteAsync(session =>
    {
        if (Find(session, tenant, Columns.Bytes(id)) is null)
            return null;
        SqliteAudit.Add(session, audit, time.GetUtcNow());
        session.Execute("UPDATE replays SET state = 2, finished_at = $now WHERE id = $id AND tenant = $tenant AND state = 0",
            ("$now", Now()), ("$id", Columns.Bytes(id)), ("$tenant", tenant));
        return Find(session, tenant, Columns.Bytes(id));
    }, cancellation);

    public Task<IReadOnlyList<DueReplay>> DueBulksAsync(CancellationToken cancellation) => Task.FromResult(database.Read(session =>
    {
        const string sql = "SELECT id, rate FROM replays WHERE state = 0 AND (rate IS NULL OR paced_at IS NULL OR $now >= paced_at + 1000000 / rate) ORDER BY created_at";
        var due = new List<DueReplay>();
        using var rows = session.Query(sql, ("$now", Now()));
        while (rows.Read())
            due.Add(new DueReplay(Columns.Id(rows, 0), rows.IsDBNull(1) ? null : rows.GetDouble(1)));
        return (IReadOnlyList<DueReplay>)due;
    }));

    public Task<IReadOnlyList<AddOutcome.Added>> StepBulkAsync(JobId id, Func<string, string?> version, int atMost, CancellationToken cancellation) => database.WriteAsync<IReadOnlyList<AddOutcome.Added>>(session =>
    {
        double? rate;
        DateTimeOffset? paced;
        BulkSettings settings;
        using (var rows = session.Query("SELECT rate, settings, paced_at FROM replays WHERE id = $id AND state = 0", ("$id", Columns.Bytes(id))))
        {
            if (!rows.Read())
                return [];
            rate = rows.IsDBNull(0) ? null : rows.GetDouble(0);
            settings = JsonSerializer.Deserialize(rows.GetString(1), StorageJson.Default.BulkSettings)!;
            paced = Columns.TimeOrNull(rows, 2);
        }
        var (count, pacedAt) = ReplayRules.Pace(rate, paced, time.GetUtcNow(), atMost);
        if (count == 0)
            return [];
        session.Execute("UPDATE replays SET paced_at = $paced WHERE id = $id", ("$paced", Columns.Micros(pacedAt)), ("$id", Columns.Bytes(id)));
        var made = Make(session, Columns.Bytes(id), settings, version, count);
        session.Execute("UPDATE replays SET state = 1, finished_at = $now WHERE id = $id AND NOT EXISTS (SELECT 1 FROM replay_items WHERE replay_id = $id AND state = 0)",
            ("$now", Now()), ("$id", Columns.Bytes(id)));
        return made;
    }, cancellation);

    private List<AddOutcome.Added> Make(SqliteSession session, byte[] id, BulkSettings settings, Func<string, string?> version, int count)
    {
        var sources = new List<JobId>();
        using (var rows = session.Query("SELECT source FROM replay_items WHERE replay_id = $id AND state = 0 ORDER BY source LIMIT $count", ("$id", id), ("$count", count)))
        {
            while (rows.Read())
                sources.Add(Columns.Id(rows, 0));
        }
        var all = new List<AddOutcome.Added>();
        foreach (var item in sources)
        {
            var (state, made) = (ReplayItemState.Skipped, (AddOutcome.Added?)null);
            if (Source(session, item, tenant: null) is { Input: not null } source && source.Job.State.IsFinal())
            {
                made = settings.For(source.Job, version) is { } own ? (AddOutcome.Added)insert.Add(session, ReplayRules.NewJob(source, own)) : null;
                state = made is null ? ReplayItemState.Failed : ReplayItemState.Made;
            }
            session.Execute("UPDATE replay_items SET state = $state, job_id = $job WHERE replay_id = $id AND source = $source",
                ("$state", (int)state), ("$job", made is null ? null : Columns.Bytes(made.Job.Id)), ("$id", id), ("$source", Columns.Bytes(item)));
            if (made is not null)
                all.Add(made);
        }
        return all;
    }

    private static BulkOutcome? Known(SqliteSession session, string tenant, IdempotencyKey key) => SqliteInsert.FindKey(session, tenant, key) is not { } known ? null
        : known.Matches && Find(session, tenant, Columns.Bytes(known.Id)) is { } replay ? new BulkOutcome.Repeated(replay) : new BulkOutcome.KeyReused();

    private static BulkReplay? Find(SqliteSession session, string tenant, byte[] id)
    {
        const string sql = """
            SELECT state, rate, created_at, finished_at, (SELECT COUNT(*) FROM replay_items WHERE replay_id = replays.id),
                (SELECT COUNT(*) FROM replay_items WHERE replay_id = replays.id AND state = 1), (SELECT COUNT(*) FROM replay_items WHERE replay_id = replays.id AND state = 2),
                (SELECT COUNT(*) FROM replay_items WHERE replay_id = replays.id AND state = 3)
            FROM replays WHERE id = $id AND tenant = $tenant
            """;
        using var rows = session.Query(sql, ("$id", id), ("$tenant", tenant));
        return !rows.Read() ? null : new BulkReplay(new JobId(new Guid(id, bigEndian: true)), tenant, (BulkReplayState)rows.GetInt32(0), rows.GetInt32(4), rows.GetInt32(5),
            rows.GetInt32(6), rows.GetInt32(7), rows.IsDBNull(1) ? null : rows.GetDouble(1), Columns.Time(rows.GetInt64(2)), Columns.TimeOrNull(rows, 3));
    }

    private List<(JobId Id, JobState State, bool HasInput)> Match(SqliteSession session, JobFilter filter, int maxJobs)
    {
        var where = new JobFilterSql(filter);
        where.Add("$now", Now());
        where.Add("$most", maxJobs);
        var sql = $"""
            SELECT id, state, EXISTS (SELECT 1 FROM job_inputs WHERE job_id = jobs.id) AND (result_expires_at IS NULL OR result_expires_at > $now)
            FROM jobs WHERE {where} ORDER BY created_at, id LIMIT $most
            """;
        var matched = new List<(JobId, JobState, bool)>();
        using var rows = session.QueryOnce(sql, where.Values);
        while (rows.Read())
            matched.Add((Columns.Id(rows, 0), (JobState)rows.GetInt32(1), rows.GetBoolean(2)));
        return matched;
    }

    /// <param name="tenant">Null for whichever it is.</param>
    private ReplaySource? Source(SqliteSession session, JobId id, string? tenant)
    {
        const string sql = $"""
            SELECT {Columns.Job}, result_ttl, (SELECT body FROM job_inputs WHERE job_id = jobs.id AND (result_expires_at IS NULL OR result_expires_at > $now))
            FROM jobs WHERE id = $id AND ($tenant IS NULL OR tenant = $tenant)
            """;
        using var rows = session.Query(sql, ("$now", Now()), ("$id", Columns.Bytes(id)), ("$tenant", tenant));
        return !rows.Read() ? null : new ReplaySource(Columns.ReadJob(rows), TimeSpan.FromMicroseconds(rows.GetInt64(24)),
            rows.IsDBNull(25) ? (ReadOnlyMemory<byte>?)null : rows.GetFieldValue<byte[]>(25));
    }

    private long Now() => Columns.Micros(time.GetUtcNow());
}
