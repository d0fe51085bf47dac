using System.Text.Json;
using Millrace.Storage.Jobs;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <summary>How values lie in columns.</summary>
internal static class Columns
{
    /// <summary>In the order that <see cref="ReadJob"/> reads.</summary>
    public const string Job = """
        id, tenant, state, version, model, model_version, priority, attempt, max_attempts, created_at, not_before, dispatched_at, started_at,
        finished_at, expires_at, result_expires_at, timeout, worker, error, fingerprint, metadata, replay_of, traceparent, version_named
        """;

    public static Job ReadJob(NpgsqlDataReader row) => new()
    {
        Id = new JobId(row.GetGuid(0)),
        Tenant = row.GetString(1),
        State = (JobState)row.GetInt16(2),
        Version = row.GetInt64(3),
        Model = row.GetString(4),
        ModelVersion = row.GetString(5),
        Priority = row.GetInt16(6),
        Attempt = row.GetInt16(7),
        MaxAttempts = row.GetInt16(8),
        CreatedAt = Time(row, 9),
        NotBefore = TimeOrNull(row, 10),
        DispatchedAt = TimeOrNull(row, 11),
        StartedAt = TimeOrNull(row, 12),
        FinishedAt = TimeOrNull(row, 13),
        ExpiresAt = Time(row, 14),
        ResultExpiresAt = TimeOrNull(row, 15),
        Timeout = row.GetTimeSpan(16),
        Worker = Text(row, 17),
        Error = Error(row, 18),
        Fingerprint = Text(row, 19),
        Metadata = row.IsDBNull(20) ? NoMetadata : JsonSerializer.Deserialize(row.GetString(20), StorageJson.Default.IReadOnlyDictionaryStringString)!,
        ReplayOf = row.IsDBNull(21) ? null : new JobId(row.GetGuid(21)),
        TraceParent = Text(row, 22),
        VersionNamed = row.GetBoolean(23),
    };

    public static DateTimeOffset Time(NpgsqlDataReader row, int column) => row.GetFieldValue<DateTimeOffset>(column);

    public static DateTimeOffset? TimeOrNull(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : Time(row, column);

    public static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    public static JobError? Error(NpgsqlDataReader row, int column) =>
        row.IsDBNull(column) ? null : JsonSerializer.Deserialize(row.GetString(column), StorageJson.Default.JobError);

    public static string Json(JobError error) => JsonSerializer.Serialize(error, StorageJson.Default.JobError);

    public static string? Json(IReadOnlyDictionary<string, string> metadata) =>
        metadata.Count == 0 ? null : JsonSerializer.Serialize(metadata, StorageJson.Default.IReadOnlyDictionaryStringString);

    /// <summary>A value whose type the statement can't tell, as one that may be null.</summary>
    public static NpgsqlParameter Typed(NpgsqlDbType type, object? value) => new() { NpgsqlDbType = type, Value = value ?? DBNull.Value };

    public static NpgsqlParameter Array(NpgsqlDbType type, Array values) => Typed(NpgsqlDbType.Array | type, values);

    private static readonly Dictionary<string, string> NoMetadata = [];
}
