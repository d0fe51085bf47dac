using System.Text.Json;
using Millrace.Storage.Announcements;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresAnnouncementStore(PostgresDatabase database) : IAnnouncementStore
{
    private static readonly TimeSpan KeepWorkers = TimeSpan.FromDays(1);
    private const string Beat = "INSERT INTO workers (id, seen_at) VALUES ($1, store_now()) ON CONFLICT (id) DO UPDATE SET seen_at = store_now(), gone = false";

    public Task AnnounceAsync(string worker, IReadOnlyList<AnnouncedModel> models, CancellationToken cancellation) => database.WriteAsync(async session =>
    {
        await session.ExecuteAsync(Beat, worker);
        await session.ExecuteAsync("DELETE FROM worker_models WHERE worker = $1", worker);
        await session.ExecuteAsync("INSERT INTO worker_models (worker, name, version, announcement) SELECT $1, * FROM unnest($2, $3, $4)", worker,
            Columns.Array(NpgsqlDbType.Text, models.Select(m => m.Name).ToArray()), Columns.Array(NpgsqlDbType.Text, models.Select(m => m.Version).ToArray()),
            Columns.Array(NpgsqlDbType.Text, models.Select(m => JsonSerializer.Serialize(m, StorageJson.Default.AnnouncedModel)).ToArray()));
        await session.ExecuteAsync("DELETE FROM workers WHERE seen_at < store_now() - $1", Columns.Typed(NpgsqlDbType.Interval, KeepWorkers));
        return await session.ExecuteAsync("DELETE FROM worker_models WHERE worker NOT IN (SELECT id FROM workers)");
    }, cancellation);

    public Task BeatAsync(string worker, CancellationToken cancellation) => database.WriteAsync(session => session.ExecuteAsync(Beat, worker), cancellation);

    public Task LeaveAsync(string worker, CancellationToken cancellation) =>
        database.WriteAsync(session => session.ExecuteAsync("UPDATE workers SET gone = true WHERE id = $1", worker), cancellation);

    public Task<Announcements.Announcements> ReadAsync(TimeSpan aliveWithin, CancellationToken cancellation)
    {
        const string sql = """
            WITH live AS (SELECT id FROM workers WHERE NOT gone AND seen_at >= store_now() - $1),
                shown AS (SELECT id FROM live UNION ALL (SELECT id FROM workers WHERE NOT EXISTS (SELECT 1 FROM live) ORDER BY seen_at DESC LIMIT 1))
            SELECT (SELECT count(*)::int FROM live), m.announcement FROM shown s LEFT JOIN worker_models m ON m.worker = s.id
            """;
        return database.ReadAsync(async session =>
        {
            var rows = await session.QueryAsync(sql, row => (Live: row.GetInt32(0), Json: Columns.Text(row, 1)), Columns.Typed(NpgsqlDbType.Interval, aliveWithin));
            var models = rows.Where(r => r.Json is not null).Select(r => JsonSerializer.Deserialize(r.Json!, StorageJson.Default.AnnouncedModel)!).ToArray();
            return new Announcements.Announcements(rows.Count > 0 ? rows[0].Live : 0, models);
        }, cancellation);
    }
}
