namespace Millrace.Storage.Models;

/// <summary>Adds up what workers counted.</summary>
internal static class StatisticsSum
{
    /// <summary>How long the counts of a worker that is silent are kept. So long a sum never falls, also when workers come and go.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromDays(30);

    /// <returns>One for each version of each model, in the order of name and age.</returns>
    public static IReadOnlyList<VersionStatistics> Of(IEnumerable<VersionStatistics> counted) => counted.GroupBy(s => (s.Model, s.Version)).Select(same => same.Aggregate(Add))
        .OrderBy(s => s.Model, StringComparer.Ordinal).ThenBy(s => s.Version.Length).ThenBy(s => s.Version, StringComparer.Ordinal).ToArray();

    private static VersionStatistics Add(VersionStatistics one, VersionStatistics other) => new()
    {
        Model = one.Model,
        Version = one.Version,
        LastInference = Math.Max(one.LastInference, other.LastInference),
        InferenceCount = one.InferenceCount + other.InferenceCount,
        ExecutionCount = one.ExecutionCount + other.ExecutionCount,
        Success = one.Success + other.Success,
        Fail = one.Fail + other.Fail,
        Queue = one.Queue + other.Queue,
        ComputeInput = one.ComputeInput + other.ComputeInput,
        ComputeInfer = one.ComputeInfer + other.ComputeInfer,
        ComputeOutput = one.ComputeOutput + other.ComputeOutput,
        Batches = one.Batches.Concat(other.Batches).GroupBy(b => b.BatchSize).OrderBy(b => b.Key).Select(same => same.Aggregate(Add)).ToArray(),
        MemoryBytes = Math.Max(one.MemoryBytes, other.MemoryBytes), // of workers that have left, too: no sum of what is used now
    };

    private static BatchStatistics Add(BatchStatistics one, BatchStatistics other) => new(
        one.BatchSize, one.ComputeInput + other.ComputeInput, one.ComputeInfer + other.ComputeInfer, one.ComputeOutput + other.ComputeOutput);
}
