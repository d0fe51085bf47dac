using System.Text.Json;
using Millrace.Storage.Audit;
using Millrace.Storage.Models;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresModelStore(PostgresDatabase database) : IModelStore
{
    public Task<long> WishAsync(string model, bool loaded, AuditEntry audit, CancellationToken cancellation) => database.WriteAsync(async session =>
    {
        var revision = (long)(await session.ScalarAsync("UPDATE model_wish_revision SET last = last + 1 RETURNING last"))!; // from here on no other wish is made
        await PostgresAudit.AddAsync(session, audit);
        await session.ExecuteAsync("""
            INSERT INTO model_wishes (model, loaded, revision) VALUES ($1, $2, $3)
            ON CONFLICT (model) DO UPDATE SET loaded = excluded.loaded, revision = excluded.revision
            """, model, loaded, revision);
        return revision;
    }, cancellation);

    public Task<IReadOnlyList<ModelWish>> ReadWishesAsync(CancellationToken cancellation) => database.ReadAsync<IReadOnlyList<ModelWish>>(async session =>
        await session.QueryAsync("SELECT model, loaded, revision FROM model_wishes ORDER BY revision",
            row => new ModelWish(row.GetString(0), row.GetBoolean(1), row.GetInt64(2))), cancellation);

    public Task ReportAsync(string worker, IReadOnlyList<VersionStatistics> statistics, CancellationToken cancellation) => database.WriteAsync(async session =>
    {
        await session.ExecuteAsync("""
            INSERT INTO worker_statistics (worker, at, statistics) VALUES ($1, store_now(), $2)
            ON CONFLICT (worker) DO UPDATE SET at = excluded.at, statistics = excluded.statistics
            """, worker, JsonSerializer.Serialize(statistics, StorageJson.Default.IReadOnlyListVersionStatistics));
        return await session.ExecuteAsync("DELETE FROM worker_statistics WHERE at < store_now() - $1", KeptFor());
    }, cancellation);

    public Task<IReadOnlyList<VersionStatistics>> ReadStatisticsAsync(CancellationToken cancellation) => database.ReadAsync(async session =>
    {
        var counted = await session.QueryAsync("SELECT statistics FROM worker_statistics WHERE at >= store_now() - $1", row => row.GetString(0), KeptFor());
        return StatisticsSum.Of(counted.SelectMany(json => JsonSerializer.Deserialize(json, StorageJson.Default.IReadOnlyListVersionStatistics)!));
    }, cancellation);

    public Task<bool> HoldBackAsync(string model, string version, string hash, string reason, CancellationToken cancellation) => database.WriteAsync(async session =>
        await session.ExecuteAsync("""
            INSERT INTO held_back AS known (model, version, hash, reason, at) VALUES ($1, $2, $3, $4, store_now())
            ON CONFLICT (model, version) DO UPDATE SET hash = excluded.hash, reason = excluded.reason, at = excluded.at WHERE known.hash <> excluded.hash
            """, model, version, hash, reason) == 1, cancellation);

    public Task<IReadOnlyList<HeldBackVersion>> ReadHeldBackAsync(CancellationToken cancellation) => database.ReadAsync<IReadOnlyList<HeldBackVersion>>(async session =>
        await session.QueryAsync("SELECT model, version, hash, reason, at FROM held_back ORDER BY model, version",
            row => new HeldBackVersion(row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3), Columns.Time(row, 4))), cancellation);

    public Task<bool> ReleaseAsync(string model, string version, AuditEntry audit, CancellationToken cancellation) => database.WriteAsync(async session =>
    {
        var released = await session.ExecuteAsync("DELETE FROM held_back WHERE model = $1 AND version = $2", model, version) == 1;
        await PostgresAudit.AddAsync(session, released ? audit : audit with { Outcome = AuditOutcome.Refused, Detail = "not held back" });
        return released;
    }, cancellation);

    private static Npgsql.NpgsqlParameter KeptFor() => Columns.Typed(NpgsqlDbType.Interval, StatisticsSum.KeptFor);
}
