using System.Text.Json;
using Millrace.Storage.Announcements;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteAnnouncementStore(SqliteDatabase database, TimeProvider time) : IAnnouncementStore
{
    public Task AnnounceAsync(string worker, IReadOnlyList<AnnouncedModel> models, CancellationToken cancellation) => database.WriteAsync(session =>
    {
        Beat(session, worker);
        session.Execute("DELETE FROM worker_models WHERE worker = $worker", ("$worker", worker));
        foreach (var model in models)
        {
            session.Execute("INSERT INTO worker_models (worker, name, version, announcement) VALUES ($worker, $name, $version, $json)",
                ("$worker", worker), ("$name", model.Name), ("$version", model.Version),
                ("$json", JsonSerializer.Serialize(model, StorageJson.Default.AnnouncedModel)));
        }
        session.Execute("DELETE FROM workers WHERE seen_at < $before", ("$before", Columns.Micros(time.GetUtcNow() - WorkerLiveness.RememberedFor)));
        return session.Execute("DELETE FROM worker_models WHERE worker NOT IN (SELECT id FROM workers)");
    }, cancellation);

    public Task BeatAsync(string worker, CancellationToken cancellation) => database.WriteAsync(session => Beat(session, worker), cancellation);

    public Task LeaveAsync(string worker, CancellationToken cancellation) =>
        database.WriteAsync(session => session.Execute("UPDATE workers SET gone = 1 WHERE id = $worker", ("$worker", worker)), cancellation);

    public Task<Announcements.Announcements> ReadAsync(TimeSpan aliveWithin, CancellationToken cancellation)
    {
        const string sql = """
            WITH live AS (SELECT id FROM workers WHERE gone = 0 AND seen_at >= $since)
            SELECT announcement, 0 FROM worker_models WHERE worker IN live
            UNION ALL SELECT m.announcement, 1 FROM worker_models m
                WHERE NOT EXISTS (SELECT 1 FROM worker_models o WHERE o.name = m.name AND o.worker IN live)
                    AND m.worker = (SELECT w.id FROM workers w JOIN worker_models o ON o.worker = w.id WHERE o.name = m.name ORDER BY w.seen_at DESC, w.id LIMIT 1)
            """;
        return Task.FromResult(database.Read(session =>
        {
            var since = Columns.Micros(time.GetUtcNow() - aliveWithin);
            var live = (long)session.Scalar("SELECT COUNT(*) FROM workers WHERE gone = 0 AND seen_at >= $since", ("$since", since))!;
            var models = new List<AnnouncedModel>();
            using var rows = session.Query(sql, ("$since", since));
            while (rows.Read())
                models.Add(JsonSerializer.Deserialize(rows.GetString(0), StorageJson.Default.AnnouncedModel)! with { IsRemembered = rows.GetBoolean(1) });
            return new Announcements.Announcements((int)live, models);
        }));
    }

    private int Beat(SqliteSession session, string worker) => session.Execute(
        "INSERT INTO workers (id, seen_at) VALUES ($worker, $now) ON CONFLICT (id) DO UPDATE SET seen_at = $now, gone = 0",
        ("$worker", worker), ("$now", Columns.Micros(time.GetUtcNow())));
}
