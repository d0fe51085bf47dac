using Millrace.Storage.Rates;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresRateStore(PostgresDatabase database) : IRateStore
{
    public Task<RateLease> LeaseAsync(string subject, int wanted, int limit, TimeSpan window, CancellationToken cancellation)
    {
        // A row that moved to a later window while we waited for it stays there: its window is the present one.
        const string sql = """
            WITH now AS MATERIALIZED (SELECT floor(extract(epoch FROM store_now()) / $4)::bigint * $4 AS starts)
            INSERT INTO rate_windows AS w (subject, starts, ends, used, granted) SELECT $1, starts, starts + $4, least($2, $3), least($2, $3) FROM now
            ON CONFLICT (subject) DO UPDATE SET
                granted = CASE WHEN w.starts >= excluded.starts THEN greatest(0, least($2, $3 - w.used)) ELSE excluded.granted END,
                used = CASE WHEN w.starts >= excluded.starts THEN w.used + greatest(0, least($2, $3 - w.used)) ELSE excluded.used END,
                starts = greatest(w.starts, excluded.starts),
                ends = greatest(w.starts, excluded.starts) + $4
            RETURNING granted, greatest(0, $3 - used), greatest(0, ends - extract(epoch FROM store_now()))::double precision
            """;
        return database.ReadAsync(async session => (await session.QueryAsync(sql, row => new RateLease(row.GetInt32(0), row.GetInt32(1), TimeSpan.FromSeconds(row.GetDouble(2))),
            subject, wanted, limit, (long)window.TotalSeconds))[0], cancellation);
    }

    public Task PurgeAsync(TimeSpan endedBefore, CancellationToken cancellation) => database.ReadAsync(session =>
        session.ExecuteAsync("DELETE FROM rate_windows WHERE ends < extract(epoch FROM store_now() - $1)", endedBefore), cancellation);
}
