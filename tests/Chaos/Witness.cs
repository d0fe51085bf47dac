using Millrace.Chaos.History;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Chaos;

/// <summary>A trigger in the database that keeps every change of a job's row: independent of what the product says of itself.</summary>
public sealed class Witness(string storeUrl) : IAsyncDisposable
{
    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(ConnectionString(storeUrl));

    /// <summary>The tables must be there already.</summary>
    public async Task InstallAsync(CancellationToken cancellation) => await ExecuteAsync("""
        CREATE TABLE IF NOT EXISTS witness (n bigint GENERATED ALWAYS AS IDENTITY, id uuid, old_state smallint, new_state smallint, version bigint, fence bigint,
            attempt smallint, max_attempts smallint, has_error boolean, replay_of uuid, at timestamptz DEFAULT clock_timestamp());
        CREATE OR REPLACE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO witness (id, old_state, new_state, version, fence, attempt, max_attempts, has_error, replay_of) VALUES (COALESCE(NEW.id, OLD.id),
                CASE WHEN TG_OP <> 'INSERT' THEN OLD.state END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.state END, COALESCE(NEW.version, OLD.version), COALESCE(NEW.fence, OLD.fence),
                COALESCE(NEW.attempt, OLD.attempt), COALESCE(NEW.max_attempts, OLD.max_attempts), COALESCE(NEW.error, OLD.error) IS NOT NULL, COALESCE(NEW.replay_of, OLD.replay_of));
            RETURN NULL;
        END $$;
        CREATE OR REPLACE TRIGGER witness AFTER INSERT OR UPDATE OR DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION witness();
        """, cancellation);

    public async Task<IReadOnlyList<Transition>> ReadAsync(CancellationToken cancellation)
    {
        const string sql = """
            SELECT w.n, w.id, w.old_state, w.new_state, w.version, w.fence, w.attempt, w.max_attempts, k.key, w.has_error, w.replay_of, (extract(epoch FROM w.at) * 1000000)::bigint
            FROM witness w LEFT JOIN idempotency_keys k ON k.job_id = w.id ORDER BY w.n
            """;
        await using var command = _source.CreateCommand(sql);
        await using var rows = await command.ExecuteReaderAsync(cancellation);
        var found = new List<Transition>();
        while (await rows.ReadAsync(cancellation))
        {
            found.Add(new Transition(rows.GetInt64(0), rows.GetGuid(1), rows.IsDBNull(2) ? null : rows.GetInt16(2), rows.IsDBNull(3) ? null : rows.GetInt16(3), rows.GetInt64(4), rows.GetInt64(5),
                rows.GetInt16(6), rows.GetInt16(7), rows.IsDBNull(8) ? null : rows.GetString(8), rows.GetBoolean(9), rows.IsDBNull(10) ? null : rows.GetGuid(10), rows.GetInt64(11)));
        }
        return found;
    }

    /// <summary>A number from the database, as how many jobs run.</summary>
    public async Task<long> CountAsync(string sql, CancellationToken cancellation)
    {
        long count = 0;
        await Waiting.UntilAsync(async () =>
        {
            try
            {
                await using var command = _source.CreateCommand(sql);
                count = Convert.ToInt64(await command.ExecuteScalarAsync(cancellation), System.Globalization.CultureInfo.InvariantCulture);
                return true;
            }
            catch (NpgsqlException) { return false; } // the harness itself kills it
        }, "the database answers");
        return count;
    }

    public async Task ExecuteAsync(string sql, CancellationToken cancellation)
    {
        await using var command = _source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private static string ConnectionString(string url)
    {
        var address = new Uri(url);
        var user = address.UserInfo.Split(':', 2);
        var schema = address.Query.TrimStart('?').Split('&').FirstOrDefault(p => p.StartsWith("schema=", StringComparison.Ordinal))?["schema=".Length..] ?? "public";
        return new NpgsqlConnectionStringBuilder
        {
            Host = address.Host,
            Port = address.Port > 0 ? address.Port : 5432,
            Username = Uri.UnescapeDataString(user[0]),
            Password = user.Length > 1 ? Uri.UnescapeDataString(user[1]) : null,
            Database = address.AbsolutePath.Trim('/') is { Length: > 0 } name ? name : "postgres",
            SearchPath = schema,
            Pooling = true,
            MaxPoolSize = 4,
        }.ToString();
    }
}
