using Microsoft.Data.Sqlite;

namespace Millrace.Storage.Sqlite;

/// <summary>One connection with its prepared statements. Used by one thread at a time.</summary>
internal sealed class SqliteSession(SqliteConnection connection) : IDisposable
{
    private readonly Dictionary<string, SqliteCommand> _commands = [];

    /// <summary>Facts that hold within one transaction, kept by whoever asks for them; emptied when it ends.</summary>
    public Dictionary<string, Window> Windows { get; } = [];

    public int Execute(string sql, params ReadOnlySpan<(string Name, object? Value)> values) => Prepare(sql, values).ExecuteNonQuery();

    public SqliteDataReader Query(string sql, params ReadOnlySpan<(string Name, object? Value)> values) => Prepare(sql, values).ExecuteReader();

    public object? Scalar(string sql, params ReadOnlySpan<(string Name, object? Value)> values) => Prepare(sql, values).ExecuteScalar();

    /// <summary>For statements that are seldom the same: nothing of them is kept.</summary>
    public SqliteDataReader QueryOnce(string sql, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in values)
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        return command.ExecuteReader();
    }

    public void Dispose()
    {
        foreach (var command in _commands.Values)
            command.Dispose();
        connection.Dispose();
    }

    private SqliteCommand Prepare(string sql, ReadOnlySpan<(string Name, object? Value)> values)
    {
        if (!_commands.TryGetValue(sql, out var command))
        {
            command = connection.CreateCommand();
            command.CommandText = sql;
            _commands.Add(sql, command);
        }
        if (command.Parameters.Count == 0)
        {
            foreach (var (name, value) in values)
                command.Parameters.AddWithValue(name, value ?? DBNull.Value);
            return command;
        }
        for (var at = 0; at < values.Length; at++) // a statement is always called with the same names in the same order
        {
            command.Parameters[at].ResetSqliteType();
            command.Parameters[at].Value = values[at].Value ?? DBNull.Value;
        }
        return command;
    }
}

/// <summary>How much of a model's window is taken, and whether something due waits before it.</summary>
internal sealed record Window(int Dispatched, bool HasWaiting);
