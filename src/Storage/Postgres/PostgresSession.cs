using Npgsql;

namespace Millrace.Storage.Postgres;

/// <summary>One connection in use. Parameters are $1, $2 and so on; statements that come again are prepared by the driver.</summary>
internal sealed class PostgresSession(NpgsqlConnection connection, CancellationToken cancellation)
{
    public async Task<int> ExecuteAsync(string sql, params object?[] values)
    {
        await using var command = Command(sql, values);
        return await command.ExecuteNonQueryAsync(cancellation);
    }

    public async Task<object?> ScalarAsync(string sql, params object?[] values)
    {
        await using var command = Command(sql, values);
        return await command.ExecuteScalarAsync(cancellation) is var value && value is DBNull ? null : value;
    }

    public async Task<List<T>> QueryAsync<T>(string sql, Func<NpgsqlDataReader, T> read, params object?[] values)
    {
        await using var command = Command(sql, values);
        await using var rows = await command.ExecuteReaderAsync(cancellation);
        var found = new List<T>();
        while (await rows.ReadAsync(cancellation))
            found.Add(read(rows));
        return found;
    }

    /// <summary>Several queries in one round trip; <paramref name="read"/> is called for each row with the query's number.</summary>
    public async Task QueryAllAsync(Action<int, NpgsqlDataReader> read, params (string Sql, object?[] Values)[] queries)
    {
        await using var batch = new NpgsqlBatch(connection);
        foreach (var (sql, values) in queries)
        {
            var command = new NpgsqlBatchCommand(sql);
            Bind(command.Parameters, values);
            batch.BatchCommands.Add(command);
        }
        await using var rows = await batch.ExecuteReaderAsync(cancellation);
        for (var at = 0; at < queries.Length; at++)
        {
            while (await rows.ReadAsync(cancellation))
                read(at, rows);
            await rows.NextResultAsync(cancellation);
        }
    }

    private NpgsqlCommand Command(string sql, object?[] values)
    {
        var command = new NpgsqlCommand(sql, connection);
        Bind(command.Parameters, values);
        return command;
    }

    private static void Bind(NpgsqlParameterCollection parameters, object?[] values)
    {
        foreach (var value in values)
            parameters.Add(value is NpgsqlParameter typed ? typed : new NpgsqlParameter { Value = value ?? DBNull.Value });
    }
}
