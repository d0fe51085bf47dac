using System.Reflection;
using Npgsql;

namespace Millrace.Storage.Postgres;

/// <summary>The database, shared by all processes. Every wait on it is bounded.</summary>
public sealed class PostgresDatabase : IAsyncDisposable
{
    private const int ConnectSeconds = 5;
    private const int CommandSeconds = 15;
    private const int MostRepeats = 5;

    /// <summary>A prepared statement's plan is made when the tables are still empty, where reading all of them is cheapest, and it is kept while they fill. Every statement
    /// here has an index to go by. (Claims of 87 jobs, in a database filled since its start: 48 ms otherwise.) Compiling them never pays.</summary>
    private const string IndexesAlways = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";

    private readonly NpgsqlDataSource _source;
    private readonly StoreOptions _options;
    private readonly string _schema;
    private readonly IStoreGuard? _guard;

    private PostgresDatabase(NpgsqlDataSource source, StoreOptions options, string schema, IStoreGuard? guard)
    {
        (_source, _options, _schema, _guard) = (source, options, schema, guard);
    }

    /// <summary>Connects to nothing yet.</summary>
    /// <exception cref="FormatException">The address can't be read; the message says what would be right.</exception>
    public static PostgresDatabase Open(StoreOptions options, IStoreGuard? guard = null)
    {
        var connection = PostgresAddress.Parse(options.Url);
        var schema = connection.SearchPath ?? "public";
        connection.SearchPath = schema;
        connection.MaxPoolSize = options.MaxConnections;
        connection.Timeout = ConnectSeconds;
        connection.CommandTimeout = CommandSeconds;
        connection.CancellationTimeout = -1; // a server that is frozen does not answer a cancel either
        connection.KeepAlive = 10;
        connection.TcpKeepAlive = true;
        connection.MaxAutoPrepare = 100;
        connection.AutoPrepareMinUsages = 2;
        connection.Timezone = "UTC"; // so that a day is 24 hours
        connection.Options = $"{connection.Options} {IndexesAlways}".Trim();
        connection.ApplicationName ??= "millrace";
        return new PostgresDatabase(NpgsqlDataSource.Create(connection), options, schema, guard);
    }

    /// <summary>Brings the schema up to date: embedded scripts in the order of their names, each once, all in one transaction; replicas that start together take turns.</summary>
    /// <exception cref="StoreUnavailableException">The database can't be reached.</exception>
    /// <remarks>Past the guard: what makes the database usable must not wait for those who find it unusable.</remarks>
    public Task MigrateAsync(CancellationToken cancellation) => TryAsync(async session =>
    {
        await session.ExecuteAsync("SELECT pg_advisory_xact_lock(hashtextextended('millrace ' || $1, 0))", _schema);
        if (await session.ScalarAsync("SELECT count(*) FROM pg_namespace WHERE nspname = $1", _schema) is 0L)
            await session.ExecuteAsync($"CREATE SCHEMA IF NOT EXISTS \"{_schema.Replace("\"", "\"\"", StringComparison.Ordinal)}\"");
        await session.ExecuteAsync("CREATE TABLE IF NOT EXISTS migrations (name text NOT NULL PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())");
        var assembly = Assembly.GetExecutingAssembly();
        foreach (var name in assembly.GetManifestResourceNames().Where(n => n.Contains(".Postgres.Migrations.", StringComparison.Ordinal)).Order())
        {
            if (await session.ExecuteAsync("INSERT INTO migrations (name) VALUES ($1) ON CONFLICT DO NOTHING", name) == 0)
                continue;
            using var script = new StreamReader(assembly.GetManifestResourceStream(name)!);
            await session.ExecuteAsync(await script.ReadToEndAsync(cancellation));
        }
        return true;
    }, transaction: true, cancellation);

    /// <summary>What is committed must be there after the machine lost its power: that is what 202 promises.</summary>
    /// <exception cref="StoreNotDurableException">The server is set up to lose it, and <see cref="StoreOptions.AllowNotDurable"/> is false.</exception>
    public Task CheckDurableAsync(CancellationToken cancellation) => TryAsync(async session =>
    {
        if (_options.AllowNotDurable)
            return true;
        foreach (var (setting, right) in new[] { ("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on, local, remote_write or remote_apply") })
        {
            var value = (string?)await session.ScalarAsync("SELECT current_setting($1)", setting);
            if (value == "off")
            {
                throw new StoreNotDurableException(
                    $"the database has {setting} = {value}, so it may lose jobs that were accepted; set it to {right}, or Millrace:Store:AllowNotDurable to true where losing them does not matter");
            }
        }
        return true;
    }, transaction: false, cancellation);

    /// <summary>Single statements, each for itself.</summary>
    internal Task<T> ReadAsync<T>(Func<PostgresSession, Task<T>> use, CancellationToken cancellation) => RunAsync(use, transaction: false, cancellation);

    /// <summary>All in one transaction; when the task ends, it is on disk.</summary>
    /// <remarks>When the connection is lost in the commit, whether it happened is unknown, and it is not repeated here.</remarks>
    internal Task<T> WriteAsync<T>(Func<PostgresSession, Task<T>> use, CancellationToken cancellation) => RunAsync(use, transaction: true, cancellation);

    public async ValueTask DisposeAsync() => await _source.DisposeAsync();

    private Task<T> RunAsync<T>(Func<PostgresSession, Task<T>> use, bool transaction, CancellationToken cancellation) =>
        _guard is null ? TryAsync(use, transaction, cancellation) : _guard.RunAsync(() => TryAsync(use, transaction, cancellation));

    private async Task<T> TryAsync<T>(Func<PostgresSession, Task<T>> use, bool transaction, CancellationToken cancellation)
    {
        for (var repeats = 0; ; repeats++)
        {
            try { return await RunOnceAsync(use, transaction, cancellation); }
            catch (PostgresException error) when (PostgresFaults.IsConflict(error) && repeats < MostRepeats) { } // it was rolled back as a whole, so it can run again
            catch (Exception error) when (PostgresFaults.Translate(error, cancellation) is { } unavailable) { throw unavailable; }
        }
    }

    private async Task<T> RunOnceAsync<T>(Func<PostgresSession, Task<T>> use, bool transaction, CancellationToken cancellation)
    {
        await using var connection = await _source.OpenConnectionAsync(cancellation);
        var session = new PostgresSession(connection, cancellation);
        if (!transaction)
            return await use(session);
        await using var writing = await connection.BeginTransactionAsync(cancellation);
        var result = await use(session);
        await writing.CommitAsync(CancellationToken.None); // from here on it must be known what became of it
        return result;
    }
}

/// <summary>The database would lose what it has committed.</summary>
public sealed class StoreNotDurableException : Exception
{
    public StoreNotDurableException() { }
    public StoreNotDurableException(string message) : base(message) { }
    public StoreNotDurableException(string message, Exception inner) : base(message, inner) { }
}
