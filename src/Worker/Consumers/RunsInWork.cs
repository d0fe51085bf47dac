using System.Collections.Concurrent;
using Millrace.Messages;
using Millrace.Worker.Batching;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Consumers;

/// <summary>All that this worker has taken on, to be found when somebody says that it is not wanted any more.</summary>
internal sealed class RunsInWork
{
    private readonly ConcurrentDictionary<Guid, WorkItem> _items = new();

    public Entry Add(WorkItem item)
    {
        _items[item.Id] = item;
        return new Entry(this, item);
    }

    public void Stop(StopRuns message)
    {
        foreach (var id in message.Ids)
        {
            if (_items.TryGetValue(id, out var item))
                item.Stop(new RunOutcome.Abandoned());
        }
    }

    /// <summary>The worker leaves now: whatever still runs is told to stop and given back.</summary>
    public void GiveBackAll()
    {
        foreach (var item in _items.Values)
            item.Stop(new RunOutcome.GivenBack());
    }

    internal readonly struct Entry(RunsInWork runs, WorkItem item) : IDisposable
    {
        public void Dispose() => runs._items.TryRemove(KeyValuePair.Create(item.Id, item));
    }
}
