using Millrace.Messages;

namespace Millrace.Storage.Jobs;

/// <summary>The window: of each model's queued jobs at most so many are dispatched (marked, with a ticket in the broker); the rest waits here.</summary>
public interface IDispatchStore
{
    /// <summary>Marks what is due until every window is full: tenants in turn, then priority, then age. The tickets of what it marked.</summary>
    Task<IReadOnlyList<RunJob>> RefillAsync(int atMost, CancellationToken cancellation);

    /// <summary>How many jobs of each model were marked so long ago, by the store's clock, and still wait for a claim; paused models left out.</summary>
    Task<IReadOnlyDictionary<string, int>> CountDispatchedAsync(TimeSpan longAgo, CancellationToken cancellation);

    /// <summary>Tickets of the longest marked jobs of a model.</summary>
    Task<IReadOnlyList<RunJob>> OldestDispatchedAsync(string model, int atMost, CancellationToken cancellation);
}
