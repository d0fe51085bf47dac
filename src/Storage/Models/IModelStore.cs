using Millrace.Storage.Audit;

namespace Millrace.Storage.Models;

/// <summary>What is wanted of models, what became of versions on trial, and what workers count; kept where every process sees it.</summary>
public interface IModelStore
{
    /// <summary>Wants a model loaded (also: loaded anew) or unloaded; workers make it true. The wish before it is replaced.</summary>
    /// <param name="audit">Written with it.</param>
    /// <returns>Its revision, larger than that of every wish before.</returns>
    Task<long> WishAsync(string model, bool loaded, AuditEntry audit, CancellationToken cancellation);

    /// <summary>The last wish for each model that one was ever made for.</summary>
    Task<IReadOnlyList<ModelWish>> ReadWishesAsync(CancellationToken cancellation);

    /// <summary>Replaces all that this worker counted before: the numbers only grow while it lives.</summary>
    Task ReportAsync(string worker, IReadOnlyList<VersionStatistics> statistics, CancellationToken cancellation);

    /// <summary>For each version the sum over all workers, also those that have left, that reported in the last 30 days.</summary>
    Task<IReadOnlyList<VersionStatistics>> ReadStatisticsAsync(CancellationToken cancellation);

    /// <summary>Takes a version out of the traffic of calls that name none.</summary>
    /// <returns>False when it was out already, with the same hash.</returns>
    Task<bool> HoldBackAsync(string model, string version, string hash, string reason, CancellationToken cancellation);

    /// <summary>The versions that are out of the traffic.</summary>
    Task<IReadOnlyList<HeldBackVersion>> ReadHeldBackAsync(CancellationToken cancellation);

    /// <summary>Puts a version back into the traffic.</summary>
    /// <returns>False when it was not out.</returns>
    Task<bool> ReleaseAsync(string model, string version, AuditEntry audit, CancellationToken cancellation);
}

/// <param name="Loaded">Whether it is to be loaded.</param>
/// <param name="Revision">Grows with each wish.</param>
public sealed record ModelWish(string Model, bool Loaded, long Revision)
{
    /// <summary>Why a model is unavailable that nobody wants loaded.</summary>
    public const string UnloadedReason = "unloaded on request";
}

/// <param name="Hash">SHA-256 of the file that misbehaved: another file under the same version gets a new trial.</param>
public sealed record HeldBackVersion(string Model, string Version, string Hash, string Reason, DateTimeOffset At);

/// <summary>What one version did, all cumulative; times in nanoseconds.</summary>
/// <remarks>Source: Triton's statistics extension.</remarks>
public sealed record VersionStatistics
{
    public required string Model { get; init; }
    public required string Version { get; init; }

    /// <summary>Milliseconds since 1970; 0 for never.</summary>
    public long LastInference { get; init; }

    /// <summary>Rows, or requests of a model that is not batched.</summary>
    public long InferenceCount { get; init; }

    /// <summary>Runs.</summary>
    public long ExecutionCount { get; init; }

    /// <summary>Requests that got an answer: from their arrival at the worker to their end.</summary>
    public CountAndTime Success { get; init; }
    public CountAndTime Fail { get; init; }

    /// <summary>Their wait for an instance.</summary>
    public CountAndTime Queue { get; init; }

    /// <summary>Before, in and after the model, for each run, counted once for each request in it.</summary>
    public CountAndTime ComputeInput { get; init; }
    public CountAndTime ComputeInfer { get; init; }
    public CountAndTime ComputeOutput { get; init; }

    /// <summary>By rows of a run.</summary>
    public IReadOnlyList<BatchStatistics> Batches { get; init; } = [];

    /// <summary>Bytes that the version takes in the memory of one worker, as far as known: its file.</summary>
    public long MemoryBytes { get; init; }
}

public sealed record BatchStatistics(int BatchSize, CountAndTime ComputeInput, CountAndTime ComputeInfer, CountAndTime ComputeOutput);

/// <param name="Ns">Nanoseconds in all.</param>
public readonly record struct CountAndTime(long Count, long Ns)
{
    public static CountAndTime operator +(CountAndTime one, CountAndTime other) => new(one.Count + other.Count, one.Ns + other.Ns);
}
