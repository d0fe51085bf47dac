using System.Text.Json;
using Millrace.Storage.Announcements;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresAnnouncementStore(PostgresDatabase database) : IAnnouncementStore
{
    private const string Beat = "INSERT INTO workers (id, seen_at) VALUES ($1, store_now()) ON CONFLICT (id) DO UPDATE SET seen_at = store_now(), gone = false";

    public Task AnnounceAsync(string worker, IReadOnlyList<AnnouncedModel> models, CancellationToken cancellation) => database.WriteAsync(async session =>
    {
        await session.ExecuteAsync(Beat, worker);
        await session.ExecuteAsync("DELETE FROM worker_models WHERE worker = $1", worker);
        await session.ExecuteAsync("INSERT INTO worker_models (worker, name, version, announcement) SELECT $1, * FROM unnest($2, $3, $4)", worker,
            Columns.Array(NpgsqlDbType.Text, models.Select(m => m.Name).ToArray()), Columns.Array(NpgsqlDbType.Text, models.Select(m => m.Version).ToArray()),
            Columns.Array(NpgsqlDbType.Text, models.Select(m => JsonSerializer.Serialize(m, StorageJson.Default.AnnouncedModel)).ToArray()));
        await session.ExecuteAsync("DELETE FROM workers WHERE seen_at < store_now() - $1", Columns.Typed(NpgsqlDbType.Interval, WorkerLiveness.RememberedFor));
        return await session.ExecuteAsync("DELETE FROM worker_models WHERE worker NOT IN (SELECT id FROM workers)");
    }, cancellation);

    public Task BeatAsync(string worker, CancellationToken cancellation) => database.WriteAsync(session => session.ExecuteAsync(Beat, worker), cancellation);

    public Task LeaveAsync(string worker, CancellationToken cancellation) =>
        database.WriteAsync(session => session.ExecuteAsync("UPDATE workers SET gone = true WHERE id = $1", worker), cancellation);

    public Task<Announcements.Announcements> ReadAsync(TimeSpan aliveWithin, CancellationToken cancellation)
    {
        const string sql = """
            WITH live AS (SELECT id FROM workers WHERE NOT gone AND seen_at >= store_now() - $1),
                latest AS (SELECT DISTINCT ON (m.name) m.name, m.worker FROM worker_models m JOIN workers w ON w.id = m.worker
                    WHERE NOT EXISTS (SELECT 1 FROM worker_models o JOIN live ON live.id = o.worker WHERE o.name = m.name)
                    ORDER BY m.name, w.seen_at DESC, w.id)
            SELECT m.announcement, false FROM worker_models m JOIN live ON live.id = m.worker
            UNION ALL SELECT m.announcement, true FROM worker_models m JOIN latest ON latest.name = m.name AND latest.worker = m.worker
            """;
        const string count = "SELECT count(*) FROM workers WHERE NOT gone AND seen_at >= store_now() - $1";
        return database.ReadAsync(async session =>
        {
            var within = Columns.Typed(NpgsqlDbType.Interval, aliveWithin);
            var live = (long)(await session.ScalarAsync(count, within))!;
            var models = await session.QueryAsync(sql, row => (Json: row.GetString(0), Remembered: row.GetBoolean(1)), Columns.Typed(NpgsqlDbType.Interval, aliveWithin));
            return new Announcements.Announcements((int)live, models.Select(m => JsonSerializer.Deserialize(m.Json, StorageJson.Default.AnnouncedModel)! with { IsRemembered = m.Remembered }).ToArray());
        }, cancellation);
    }
}
