using System.Text.Json;
using Microsoft.Data.Sqlite;
using Millrace.Storage.Jobs;

namespace Millrace.Storage.Sqlite;

/// <summary>How values lie in columns: times as microseconds since 1970, durations as microseconds, ids as 16 bytes in the order of their text.</summary>
internal static class Columns
{
    /// <summary>In the order that <see cref="ReadJob"/> reads.</summary>
    public const string Job = """
        id, tenant, state, version, model, model_version, priority, attempt, max_attempts, created_at, not_before, dispatched_at, started_at,
        finished_at, expires_at, result_expires_at, timeout, worker, error, fingerprint, metadata, replay_of, traceparent, version_named
        """;

    public static long Micros(DateTimeOffset time) => (time.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;

    public static long Micros(TimeSpan duration) => duration.Ticks / TimeSpan.TicksPerMicrosecond;

    public static object? Micros(DateTimeOffset? time) => time is { } known ? Micros(known) : null;

    public static DateTimeOffset Time(long micros) => DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);

    public static byte[] Bytes(JobId id) => Bytes(id.Value);

    public static byte[] Bytes(Guid id) => id.ToByteArray(bigEndian: true);

    public static JobId Id(SqliteDataReader row, int column) => new(new Guid(row.GetFieldValue<byte[]>(column), bigEndian: true));

    public static string? Text(SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    public static DateTimeOffset? TimeOrNull(SqliteDataReader row, int column) => row.IsDBNull(column) ? null : Time(row.GetInt64(column));

    public static string Json(JobError error) => JsonSerializer.Serialize(error, StorageJson.Default.JobError);

    public static JobError? Error(SqliteDataReader row, int column) =>
        row.IsDBNull(column) ? null : JsonSerializer.Deserialize(row.GetString(column), StorageJson.Default.JobError);

    public static object? Json(IReadOnlyDictionary<string, string> metadata) =>
        metadata.Count == 0 ? null : JsonSerializer.Serialize(metadata, StorageJson.Default.IReadOnlyDictionaryStringString);

    public static Job ReadJob(SqliteDataReader row) => new()
    {
        Id = Id(row, 0),
        Tenant = row.GetString(1),
        State = (JobState)row.GetInt32(2),
        Version = row.GetInt64(3),
        Model = row.GetString(4),
        ModelVersion = row.GetString(5),
        Priority = row.GetInt32(6),
        Attempt = row.GetInt32(7),
        MaxAttempts = row.GetInt32(8),
        CreatedAt = Time(row.GetInt64(9)),
        NotBefore = TimeOrNull(row, 10),
        DispatchedAt = TimeOrNull(row, 11),
        StartedAt = TimeOrNull(row, 12),
        FinishedAt = TimeOrNull(row, 13),
        ExpiresAt = Time(row.GetInt64(14)),
        ResultExpiresAt = TimeOrNull(row, 15),
        Timeout = TimeSpan.FromMicroseconds(row.GetInt64(16)),
        Worker = Text(row, 17),
        Error = Error(row, 18),
        Fingerprint = Text(row, 19),
        Metadata = row.IsDBNull(20) ? NoMetadata : JsonSerializer.Deserialize(row.GetString(20), StorageJson.Default.IReadOnlyDictionaryStringString)!,
        ReplayOf = row.IsDBNull(21) ? null : Id(row, 21),
        TraceParent = Text(row, 22),
        VersionNamed = row.GetBoolean(23),
    };

    private static readonly Dictionary<string, string> NoMetadata = [];
}
