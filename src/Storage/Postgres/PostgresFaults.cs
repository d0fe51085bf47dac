using System.Net.Sockets;
using Npgsql;

namespace Millrace.Storage.Postgres;

internal static class PostgresFaults
{
    /// <summary>Two transactions were in each other's way; one of them was ended and may run again.</summary>
    public static bool IsConflict(PostgresException error) => error.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected;

    /// <summary>What the outside world did (server away, full, read-only, not migrated yet) becomes "unavailable"; null for our own mistakes, and for a caller who left.</summary>
    public static StoreUnavailableException? Translate(Exception error, CancellationToken cancellation) => error switch
    {
        OperationCanceledException when cancellation.IsCancellationRequested => null,
        PostgresException { SqlState: PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedFunction or PostgresErrorCodes.InvalidSchemaName } =>
            new StoreUnavailableException("The database has no schema of ours yet.", error),
        PostgresException server when IsOutside(server.SqlState) || IsConflict(server) => new StoreUnavailableException($"The database can't be used now: {server.MessageText}.", error),
        PostgresException => null,
        NpgsqlException or TimeoutException or IOException or SocketException or OperationCanceledException or ObjectDisposedException =>
            new StoreUnavailableException($"The database can't be reached: {error.GetBaseException().Message}", error),
        _ => null,
    };

    /// <summary>Classes: 08 connection, 28 login, 53 resources, 57 operator, 58 system, 3D no such database; 25006 read-only, 55P03 lock not available.</summary>
    private static bool IsOutside(string state) =>
        state[..2] is "08" or "28" or "53" or "57" or "58" or "3D" || state is PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.LockNotAvailable;
}
