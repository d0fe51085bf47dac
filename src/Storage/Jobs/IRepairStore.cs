namespace Millrace.Storage.Jobs;

/// <summary>What the reconciler mends, in small batches; each is safe to run from many processes at once.</summary>
public interface IRepairStore
{
    /// <summary>Running jobs whose lease ended: queued again, or failed after the last attempt.</summary>
    Task<IReadOnlyList<RepairedJob>> TakeBackAsync(int atMost, CancellationToken cancellation);

    /// <summary>Queued jobs past <c>expires_at</c>: expired if never started, else failed with their last error.</summary>
    Task<IReadOnlyList<RepairedJob>> ExpireAsync(int atMost, CancellationToken cancellation);

    /// <summary>Removes inputs and results past their time, then rows and keys past theirs. How many jobs it touched.</summary>
    Task<int> PurgeAsync(TimeSpan keepRows, int atMost, CancellationToken cancellation);
}

public sealed record RepairedJob(JobId Id, string Model, JobState State, string? Worker, int Attempt);
