using Millrace.Storage.Jobs;

namespace Millrace.Storage.Queues;

/// <summary>What an operator does with the queue of a model; it holds for all tenants.</summary>
public interface IQueueStore
{
    /// <summary>Models of which no job is dispatched or claimed now.</summary>
    Task<IReadOnlySet<string>> ReadPausedAsync(CancellationToken cancellation);

    /// <summary>Pausing what is paused, or resuming what runs, changes nothing.</summary>
    Task SetPausedAsync(string model, bool paused, CancellationToken cancellation);

    /// <summary>Queued jobs of the model, of all tenants.</summary>
    Task<long> CountQueuedAsync(string model, CancellationToken cancellation);

    /// <summary>Cancels queued jobs that were accepted before then (<c>canceled_by_operator</c>), oldest first; what runs goes on. The canceled ones.</summary>
    Task<IReadOnlyList<JobId>> CancelQueuedAsync(string model, DateTimeOffset before, int atMost, CancellationToken cancellation);
}
