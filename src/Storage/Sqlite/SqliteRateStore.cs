using Millrace.Storage.Rates;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteRateStore(SqliteDatabase database, TimeProvider time) : IRateStore
{
    public Task<RateLease> LeaseAsync(string subject, int wanted, int limit, TimeSpan window, CancellationToken cancellation) => database.WriteAsync(session =>
    {
        var now = time.GetUtcNow();
        var seconds = (long)window.TotalSeconds;
        var starts = now.ToUnixTimeSeconds() / seconds * seconds;
        var used = session.Scalar("SELECT used FROM rate_windows WHERE subject = $subject AND starts >= $starts", ("$subject", subject), ("$starts", starts)) is long sofar ? (int)sofar : 0;
        var granted = Math.Max(0, Math.Min(wanted, limit - used));
        session.Execute("INSERT OR REPLACE INTO rate_windows (subject, starts, ends, used) VALUES ($subject, $starts, $ends, $used)",
            ("$subject", subject), ("$starts", starts), ("$ends", starts + seconds), ("$used", used + granted));
        return new RateLease(granted, Math.Max(0, limit - used - granted), DateTimeOffset.FromUnixTimeSeconds(starts + seconds) - now);
    }, cancellation);

    public Task PurgeAsync(TimeSpan endedBefore, CancellationToken cancellation) => database.WriteAsync(session =>
        session.Execute("DELETE FROM rate_windows WHERE ends < $before", ("$before", (time.GetUtcNow() - endedBefore).ToUnixTimeSeconds())), cancellation);
}
