using System.Collections.Concurrent;
using Millrace.Messages;
using Millrace.Worker.Batching;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Consumers;

/// <summary>All that this worker has taken on, to be found when somebody says that it is not wanted any more.</summary>
internal sealed class RunsInWork
{
    /// <summary>Stops that came before what they stop: a message may still wait in its queue.</summary>
    private const int MostRemembered = 10_000;

    private readonly ConcurrentDictionary<Guid, WorkItem> _items = new();
    private readonly ConcurrentDictionary<Guid, bool> _stopped = new();
    private readonly ConcurrentQueue<Guid> _stoppedOrder = new();
    private volatile bool _leaving;

    public Entry Add(WorkItem item)
    {
        _items[item.Id] = item;
        if (_stopped.ContainsKey(item.Id))
            item.Stop(new RunOutcome.Abandoned());
        if (_leaving)
            item.Stop(new RunOutcome.GivenBack());
        return new Entry(this, item);
    }

    public void Stop(StopRuns message)
    {
        foreach (var id in message.Ids)
        {
            if (_stopped.TryAdd(id, true))
                _stoppedOrder.Enqueue(id);
            if (_items.TryGetValue(id, out var item))
                item.Stop(new RunOutcome.Abandoned());
        }
        while (_stoppedOrder.Count > MostRemembered && _stoppedOrder.TryDequeue(out var oldest))
            _stopped.TryRemove(oldest, out _);
    }

    /// <summary>The worker leaves now: whatever still runs is told to stop and given back.</summary>
    public void GiveBackAll()
    {
        _leaving = true;
        foreach (var item in _items.Values)
            item.Stop(new RunOutcome.GivenBack());
    }

    internal readonly struct Entry(RunsInWork runs, WorkItem item) : IDisposable
    {
        public void Dispose() => runs._items.TryRemove(KeyValuePair.Create(item.Id, item));
    }
}
