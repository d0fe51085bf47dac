using Millrace.Messages;
using Millrace.Storage.Jobs;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresDispatchStore(PostgresDatabase database, StoreOptions options) : IDispatchStore
{
    public async Task<IReadOnlyList<RunJob>> RefillAsync(int atMost, CancellationToken cancellation)
    {
        // A loose scan of the index: one probe for each model that waits.
        const string waiting = """
            WITH RECURSIVE models AS (
                (SELECT model FROM jobs WHERE state = 0 AND dispatched_at IS NULL ORDER BY model LIMIT 1)
                UNION ALL SELECT (SELECT j.model FROM jobs j WHERE j.state = 0 AND j.dispatched_at IS NULL AND j.model > m.model ORDER BY j.model LIMIT 1)
                FROM models m WHERE m.model IS NOT NULL)
            SELECT model FROM models m WHERE model IS NOT NULL AND NOT EXISTS (SELECT 1 FROM paused_models p WHERE p.model = m.model)
                AND EXISTS (SELECT 1 FROM jobs j WHERE j.model = m.model AND j.state = 0 AND j.dispatched_at IS NULL AND j.available_at <= store_now())
            """;
        var tickets = new List<RunJob>();
        foreach (var model in await database.ReadAsync(session => session.QueryAsync(waiting, row => row.GetString(0)), cancellation)) // an idle system writes nothing
        {
            if (tickets.Count < atMost)
                tickets.AddRange(await database.WriteAsync(session => RefillAsync(session, model, atMost - tickets.Count), cancellation));
        }
        return tickets;
    }

    public Task<IReadOnlyDictionary<string, int>> CountDispatchedAsync(TimeSpan longAgo, CancellationToken cancellation)
    {
        const string sql = """
            SELECT model, count(*)::int FROM jobs j WHERE state = 0 AND dispatched_at IS NOT NULL AND dispatched_at <= store_now() - $1
                AND NOT EXISTS (SELECT 1 FROM paused_models p WHERE p.model = j.model) GROUP BY model
            """;
        return database.ReadAsync<IReadOnlyDictionary<string, int>>(async session =>
            (await session.QueryAsync(sql, row => (row.GetString(0), row.GetInt32(1)), Columns.Typed(NpgsqlDbType.Interval, longAgo))).ToDictionary(), cancellation);
    }

    public Task<IReadOnlyList<RunJob>> OldestDispatchedAsync(string model, int atMost, CancellationToken cancellation)
    {
        const string sql = "SELECT id FROM jobs WHERE model = $1 AND state = 0 AND dispatched_at IS NOT NULL ORDER BY dispatched_at LIMIT $2";
        return database.ReadAsync<IReadOnlyList<RunJob>>(async session =>
            await session.QueryAsync(sql, row => new RunJob { JobId = row.GetGuid(0), Model = model }, model, atMost), cancellation);
    }

    private async Task<List<RunJob>> RefillAsync(PostgresSession session, string model, int atMost)
    {
        // Turns: each tenant's first, then each tenant's second, and so on; within a tenant by priority, then age.
        const string sql = """
            WITH RECURSIVE tenants AS (
                    (SELECT tenant FROM jobs WHERE model = $1 AND state = 0 AND dispatched_at IS NULL ORDER BY tenant LIMIT 1)
                    UNION ALL SELECT (SELECT j.tenant FROM jobs j WHERE j.model = $1 AND j.state = 0 AND j.dispatched_at IS NULL AND j.tenant > t.tenant ORDER BY j.tenant LIMIT 1)
                    FROM tenants t WHERE t.tenant IS NOT NULL),
                turns AS (SELECT w.id, w.priority, w.created_at, row_number() OVER (PARTITION BY t.tenant ORDER BY w.priority, w.created_at, w.id) AS turn
                    FROM tenants t CROSS JOIN LATERAL (
                        SELECT id, priority, created_at FROM jobs WHERE model = $1 AND tenant = t.tenant AND state = 0 AND dispatched_at IS NULL AND available_at <= store_now()
                        ORDER BY priority, created_at, id LIMIT $2) AS w WHERE t.tenant IS NOT NULL),
                chosen AS MATERIALIZED (SELECT * FROM turns ORDER BY turn, priority, created_at, id LIMIT $2),
                locked AS MATERIALIZED (SELECT j.id FROM jobs j JOIN chosen ON chosen.id = j.id WHERE j.state = 0 AND j.dispatched_at IS NULL ORDER BY j.id FOR UPDATE OF j SKIP LOCKED),
                marked AS (UPDATE jobs SET dispatched_at = store_now(), version = version + 1 FROM locked WHERE jobs.id = locked.id RETURNING jobs.id)
            SELECT chosen.id FROM chosen JOIN marked ON marked.id = chosen.id ORDER BY turn, priority, created_at, chosen.id
            """;
        // One process at a time fills a window; who comes too late finds the next pass.
        if (await session.ScalarAsync("SELECT pg_try_advisory_xact_lock(hashtextextended('refill ' || current_schema() || ' ' || $1, 0))", model) is not true)
            return [];
        var taken = (long)(await session.ScalarAsync("SELECT count(*) FROM jobs WHERE model = $1 AND state = 0 AND dispatched_at IS NOT NULL", model))!;
        var room = (int)Math.Min(options.Window - taken, atMost);
        return room > 0 ? await session.QueryAsync(sql, row => new RunJob { JobId = row.GetGuid(0), Model = model }, model, room) : [];
    }
}
