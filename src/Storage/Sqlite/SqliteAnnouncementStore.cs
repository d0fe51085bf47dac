using System.Text.Json;
using Millrace.Storage.Announcements;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteAnnouncementStore(SqliteDatabase database, TimeProvider time) : IAnnouncementStore
{
    private static readonly TimeSpan KeepWorkers = TimeSpan.FromDays(1);

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
        session.Execute("DELETE FROM workers WHERE seen_at < $before", ("$before", Columns.Micros(time.GetUtcNow() - KeepWorkers)));
        return session.Execute("DELETE FROM worker_models WHERE worker NOT IN (SELECT id FROM workers)");
    }, cancellation);

    public Task BeatAsync(string worker, CancellationToken cancellation) => database.WriteAsync(session => Beat(session, worker), cancellation);

    public Task LeaveAsync(string worker, CancellationToken cancellation) =>
        database.WriteAsync(session => session.Execute("UPDATE workers SET gone = 1 WHERE id = $worker", ("$worker", worker)), cancellation);

    public Task<Announcements.Announcements> ReadAsync(TimeSpan aliveWithin, CancellationToken cancellation)
    {
        const string sql = """
            SELECT m.announcement FROM worker_models m JOIN workers w ON w.id = m.worker
            WHERE (w.gone = 0 AND w.seen_at >= $since) OR ($live = 0 AND w.id = (SELECT id FROM workers ORDER BY seen_at DESC LIMIT 1))
            """;
        return Task.FromResult(database.Read(session =>
        {
            var since = Columns.Micros(time.GetUtcNow() - aliveWithin);
            var live = (long)session.Scalar("SELECT COUNT(*) FROM workers WHERE gone = 0 AND seen_at >= $since", ("$since", since))!;
            var models = new List<AnnouncedModel>();
            using var rows = session.Query(sql, ("$since", since), ("$live", live));
            while (rows.Read())
                models.Add(JsonSerializer.Deserialize(rows.GetString(0), StorageJson.Default.AnnouncedModel)!);
            return new Announcements.Announcements((int)live, models);
        }));
    }

    private int Beat(SqliteSession session, string worker) => session.Execute(
        "INSERT INTO workers (id, seen_at) VALUES ($worker, $now) ON CONFLICT (id) DO UPDATE SET seen_at = $now, gone = 0",
        ("$worker", worker), ("$now", Columns.Micros(time.GetUtcNow())));
}
