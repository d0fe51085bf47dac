using Millrace.Storage.Audit;
using Millrace.Storage.Jobs;

namespace Millrace.Storage.Queues;

/// <summary>What an operator does with the queue of a model; it holds for all tenants.</summary>
public interface IQueueStore
{
    /// <summary>Models of which no job is dispatched or claimed now.</summary>
    Task<IReadOnlySet<string>> ReadPausedAsync(CancellationToken cancellation);

    /// <summary>Pausing what is paused, or resuming what runs, changes nothing but the audit.</summary>
    Task SetPausedAsync(string model, bool paused, AuditEntry audit, CancellationToken cancellation);

    /// <summary>Queued jobs of the model, of all tenants.</summary>
    Task<long> CountQueuedAsync(string model, CancellationToken cancellation);

    /// <summary>Cancels queued jobs that were accepted before then (<c>canceled_by_operator</c>), oldest first; what runs goes on. The canceled ones.</summary>
    /// <param name="audit">Written with the first of several batches; null for the others.</param>
    Task<IReadOnlyList<JobId>> CancelQueuedAsync(string model, DateTimeOffset before, int atMost, AuditEntry? audit, CancellationToken cancellation);
}
