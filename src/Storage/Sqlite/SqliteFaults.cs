using Microsoft.Data.Sqlite;

namespace Millrace.Storage.Sqlite;

internal static class SqliteFaults
{
    private const int Constraint = 19;
    private const int Mismatch = 20;
    private const int Misuse = 21;

    /// <summary>What the outside world did (disk full, file locked, I/O error) becomes "unavailable"; our own mistakes stay what they are.</summary>
    public static Exception Translate(SqliteException error) => error.SqliteErrorCode is Constraint or Mismatch or Misuse or 1
        ? error
        : new StoreUnavailableException($"The store can't be used now ({error.SqliteErrorCode}).", error);
}
