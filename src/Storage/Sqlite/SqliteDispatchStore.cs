using Millrace.Messages;
using Millrace.Storage.Jobs;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteDispatchStore(SqliteDatabase database, StoreOptions options, TimeProvider time) : IDispatchStore
{
    public Task<IReadOnlyList<RunJob>> RefillAsync(int atMost, CancellationToken cancellation)
    {
        if (!HasWaiting()) // an idle system writes nothing
            return Task.FromResult<IReadOnlyList<RunJob>>([]);
        return database.WriteAsync(session => Refill(session, atMost), cancellation);
    }

    public Task<IReadOnlyDictionary<string, int>> CountDispatchedAsync(TimeSpan longAgo, CancellationToken cancellation)
    {
        const string sql = """
            SELECT model, COUNT(*) FROM jobs WHERE state = 0 AND dispatched_at IS NOT NULL AND dispatched_at <= $before
                AND model NOT IN (SELECT model FROM paused_models) GROUP BY model
            """;
        return Task.FromResult(database.Read(session =>
        {
            var counts = new Dictionary<string, int>();
            using var rows = session.Query(sql, ("$before", Now() - Columns.Micros(longAgo)));
            while (rows.Read())
                counts.Add(rows.GetString(0), rows.GetInt32(1));
            return (IReadOnlyDictionary<string, int>)counts;
        }));
    }

    public Task<IReadOnlyList<RunJob>> OldestDispatchedAsync(string model, int atMost, CancellationToken cancellation)
    {
        const string sql = """
            SELECT id FROM jobs WHERE model = $model AND state = 0 AND dispatched_at IS NOT NULL ORDER BY dispatched_at LIMIT $most
            """;
        return Task.FromResult(database.Read(session =>
        {
            var tickets = new List<RunJob>();
            using var rows = session.Query(sql, ("$model", model), ("$most", atMost));
            while (rows.Read())
                tickets.Add(new RunJob { JobId = Columns.Id(rows, 0).Value, Model = model });
            return (IReadOnlyList<RunJob>)tickets;
        }));
    }

    private bool HasWaiting() => database.Read(session => session.Scalar(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 0 AND dispatched_at IS NULL AND available_at <= $now AND model NOT IN (SELECT model FROM paused_models))", ("$now", Now())) is 1L);

    private IReadOnlyList<RunJob> Refill(SqliteSession session, int atMost)
    {
        var tickets = new List<RunJob>();
        var now = Now();
        foreach (var model in Models(session, now))
        {
            var taken = (long)session.Scalar(
                "SELECT COUNT(*) FROM jobs WHERE model = $model AND state = 0 AND dispatched_at IS NOT NULL", ("$model", model))!;
            var room = (int)Math.Min(options.Window - taken, atMost - tickets.Count);
            if (room > 0)
                Mark(session, model, room, now, tickets);
        }
        return tickets;
    }

    private static List<string> Models(SqliteSession session, long now)
    {
        var models = new List<string>();
        using var rows = session.Query(
            "SELECT DISTINCT model FROM jobs WHERE state = 0 AND dispatched_at IS NULL AND available_at <= $now AND model NOT IN (SELECT model FROM paused_models)", ("$now", now));
        while (rows.Read())
            models.Add(rows.GetString(0));
        return models;
    }

    private static void Mark(SqliteSession session, string model, int room, long now, List<RunJob> tickets)
    {
        // Turns: each tenant's first, then each tenant's second, and so on; within a tenant by priority, then age.
        const string sql = """
            UPDATE jobs SET dispatched_at = $now, version = version + 1
            WHERE state = 0 AND dispatched_at IS NULL AND id IN (
                SELECT id FROM (
                    SELECT id, priority, created_at, ROW_NUMBER() OVER (PARTITION BY tenant ORDER BY priority, created_at, id) AS turn
                    FROM jobs WHERE model = $model AND state = 0 AND dispatched_at IS NULL AND available_at <= $now)
                ORDER BY turn, priority, created_at, id LIMIT $room)
            RETURNING id
            """;
        using var rows = session.Query(sql, ("$now", now), ("$model", model), ("$room", room));
        while (rows.Read())
            tickets.Add(new RunJob { JobId = Columns.Id(rows, 0).Value, Model = model });
    }

    private long Now() => Columns.Micros(time.GetUtcNow());
}
