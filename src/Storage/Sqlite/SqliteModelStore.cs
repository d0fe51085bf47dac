using System.Text.Json;
using Millrace.Storage.Audit;
using Millrace.Storage.Models;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteModelStore(SqliteDatabase database, TimeProvider time) : IModelStore
{
    public Task<long> WishAsync(string model, bool loaded, AuditEntry audit, CancellationToken cancellation)
    {
        const string sql = """
            INSERT INTO model_wishes (model, loaded, revision) VALUES ($model, $loaded, (SELECT COALESCE(MAX(revision), 0) + 1 FROM model_wishes))
            ON CONFLICT (model) DO UPDATE SET loaded = excluded.loaded, revision = excluded.revision RETURNING revision
            """;
        return database.WriteAsync(session =>
        {
            SqliteAudit.Add(session, audit, time.GetUtcNow());
            return (long)session.Scalar(sql, ("$model", model), ("$loaded", loaded ? 1 : 0))!;
        }, cancellation);
    }

    public Task<IReadOnlyList<ModelWish>> ReadWishesAsync(CancellationToken cancellation) => Task.FromResult(database.Read(session =>
    {
        var wishes = new List<ModelWish>();
        using var rows = session.Query("SELECT model, loaded, revision FROM model_wishes ORDER BY revision");
        while (rows.Read())
            wishes.Add(new ModelWish(rows.GetString(0), rows.GetBoolean(1), rows.GetInt64(2)));
        return (IReadOnlyList<ModelWish>)wishes;
    }));

    public Task ReportAsync(string worker, IReadOnlyList<VersionStatistics> statistics, CancellationToken cancellation) => database.WriteAsync(session =>
    {
        var now = time.GetUtcNow();
        session.Execute("INSERT OR REPLACE INTO worker_statistics (worker, at, statistics) VALUES ($worker, $now, $json)",
            ("$worker", worker), ("$now", Columns.Micros(now)), ("$json", JsonSerializer.Serialize(statistics, StorageJson.Default.IReadOnlyListVersionStatistics)));
        return session.Execute("DELETE FROM worker_statistics WHERE at < $before", ("$before", Columns.Micros(now - StatisticsSum.KeptFor)));
    }, cancellation);

    public Task<IReadOnlyList<VersionStatistics>> ReadStatisticsAsync(CancellationToken cancellation) => Task.FromResult(database.Read(session =>
    {
        var counted = new List<VersionStatistics>();
        using var rows = session.Query("SELECT statistics FROM worker_statistics WHERE at >= $since", ("$since", Columns.Micros(time.GetUtcNow() - StatisticsSum.KeptFor)));
        while (rows.Read())
            counted.AddRange(JsonSerializer.Deserialize(rows.GetString(0), StorageJson.Default.IReadOnlyListVersionStatistics)!);
        return StatisticsSum.Of(counted);
    }));

    public Task<bool> HoldBackAsync(string model, string version, string hash, string reason, CancellationToken cancellation)
    {
        const string sql = """
            INSERT INTO held_back (model, version, hash, reason, at) VALUES ($model, $version, $hash, $reason, $now)
            ON CONFLICT (model, version) DO UPDATE SET hash = excluded.hash, reason = excluded.reason, at = excluded.at WHERE hash <> excluded.hash
            """;
        return database.WriteAsync(session => session.Execute(sql,
            ("$model", model), ("$version", version), ("$hash", hash), ("$reason", reason), ("$now", Columns.Micros(time.GetUtcNow()))) == 1, cancellation);
    }

    public Task<IReadOnlyList<HeldBackVersion>> ReadHeldBackAsync(CancellationToken cancellation) => Task.FromResult(database.Read(session =>
    {
        var held = new List<HeldBackVersion>();
        using var rows = session.Query("SELECT model, version, hash, reason, at FROM held_back ORDER BY model, version");
        while (rows.Read())
            held.Add(new HeldBackVersion(rows.GetString(0), rows.GetString(1), rows.GetString(2), rows.GetString(3), Columns.Time(rows.GetInt64(4))));
        return (IReadOnlyList<HeldBackVersion>)held;
    }));

    public Task<bool> ReleaseAsync(string model, string version, AuditEntry audit, CancellationToken cancellation) => database.WriteAsync(session =>
    {
        var released = session.Execute("DELETE FROM held_back WHERE model = $model AND version = $version", ("$model", model), ("$version", version)) == 1;
        SqliteAudit.Add(session, released ? audit : audit with { Outcome = AuditOutcome.Refused, Detail = "not held back" }, time.GetUtcNow());
        return released;
    }, cancellation);
}
