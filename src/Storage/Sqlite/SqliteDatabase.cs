using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace Millrace.Storage.Sqlite;

/// <summary>The database file: one writer, many readers (write-ahead log), durable at every commit.</summary>
public sealed class SqliteDatabase : IAsyncDisposable
{
    /// <summary>How long to wait for another process that has the file locked.</summary>
    private const int BusySeconds = 5;

    private readonly ConcurrentBag<SqliteSession> _readers = [];
    private readonly SqliteWriter _writer;
    private readonly string _connection;

    private SqliteDatabase(string connection, SqliteSession writer)
    {
        _connection = connection;
        _writer = new SqliteWriter(writer);
    }

    /// <summary>Opens or makes the database in a folder and brings its schema up to date.</summary>
    /// <exception cref="StoreUnavailableException">The folder or file can't be written, or the file system does not keep what is committed.</exception>
    public static SqliteDatabase Open(string folder)
    {
        var file = Path.Combine(folder, "millrace.db");
        try
        {
            Directory.CreateDirectory(folder);
            var connection = new SqliteConnectionStringBuilder { DataSource = file, Pooling = false, DefaultTimeout = BusySeconds }.ToString();
            var writer = OpenSession(connection);
            Migrations.Apply(writer);
            return new SqliteDatabase(connection, writer);
        }
        catch (Exception error) when (error is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new StoreUnavailableException($"can't write {file}: {error.Message}", error);
        }
    }

    internal Task<T> WriteAsync<T>(Func<SqliteSession, T> write, CancellationToken cancellation) => _writer.WriteAsync(write, cancellation);

    /// <summary>Reads what is committed. Runs on the caller's thread: a read takes microseconds and waits for nobody.</summary>
    internal T Read<T>(Func<SqliteSession, T> read)
    {
        SqliteSession? session = null;
        try
        {
            if (!_readers.TryTake(out session))
                session = OpenSession(_connection);
            var result = read(session);
            _readers.Add(session);
            return result;
        }
        catch (Exception error)
        {
            session?.Dispose(); // it may be in the middle of something
            if (error is SqliteException broken)
                throw SqliteFaults.Translate(broken);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _writer.DisposeAsync();
        while (_readers.TryTake(out var reader))
            reader.Dispose();
    }

    private static SqliteSession OpenSession(string connectionString)
    {
        var connection = new SqliteConnection(connectionString);
        connection.Open();
        var session = new SqliteSession(connection);
        var mode = session.Scalar("PRAGMA journal_mode = WAL") as string;
        session.Execute("PRAGMA synchronous = FULL");
        session.Execute("PRAGMA temp_store = MEMORY");
        if (mode != "wal" || session.Scalar("PRAGMA synchronous") is not 2L)
            throw new IOException($"the file system gives journal mode '{mode}', and only a write-ahead log with full synchronisation keeps accepted jobs");
        return session;
    }
}
