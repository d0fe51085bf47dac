using Millrace.Worker.Execution;
using Millrace.Worker.Models;

namespace Millrace.Worker.Batching;

/// <summary>What waits for a model, and which of it runs next. Not thread-safe: its batcher locks.</summary>
internal sealed class WaitingItems(LoadedModel model)
{
    /// <summary>After so many runs led by requests, a waiting job leads one, so that jobs are not starved.</summary>
    private const int MostRunsBeforeAJob = 8;

    /// <summary>So many that do not fit the batch are looked past before it leaves.</summary>
    private const int MostLookedPast = 256;

    private readonly PriorityQueue<WorkItem, (int Priority, long Arrival)> _requests = new();
    private readonly PriorityQueue<WorkItem, (int Priority, long Arrival)> _jobs = new();
    private readonly int[] _preferred = [.. model.Config.PreferredBatchSizes.Order()];
    private long _arrivals;
    private long _rows;
    private int _runsBeforeAJob;

    public int Count => _requests.Count + _jobs.Count;

    public void Add(WorkItem item)
    {
        _rows += item.Rows ?? 1;
        Queue(item.Lane).Enqueue(item, (item.Priority, _arrivals++));
    }

    /// <summary>How long the next batch may wait for company; zero when it should leave now.</summary>
    /// <param name="now">In the ticks of <see cref="WorkItem.Deadline"/>, of which there are <paramref name="frequency"/> in a second.</param>
    public TimeSpan WaitForCompany(long now, long frequency)
    {
        if (model.Config.MaxQueueDelayMicroseconds == 0 || model.MaxBatchSize < 2 || Count == 0)
            return TimeSpan.Zero;
        if (_rows >= model.MaxBatchSize || Array.Exists(_preferred, size => size == _rows) || (_preferred is [.., var largest] && _rows >= largest))
            return TimeSpan.Zero;
        var until = long.MaxValue;
        foreach (var (item, _) in _requests.UnorderedItems.Concat(_jobs.UnorderedItems)) // few: else it would have left
        {
            if (item.Alone || item.Rows is null)
                return TimeSpan.Zero;
            until = Math.Min(until, Math.Min(item.Arrived + (model.Config.MaxQueueDelayMicroseconds * frequency / 1_000_000), item.Deadline));
        }
        return until <= now ? TimeSpan.Zero : TimeSpan.FromSeconds((double)(until - now) / frequency);
    }

    /// <summary>The next batch: the first in line, and all behind it that agree with it in shape, up to the model's most rows; where rows suffice for a preferred
    /// number, up to the largest such. Empty when nothing waits.</summary>
    public void Take(List<WorkItem> batch, long now)
    {
        var jobFirst = _jobs.Count > 0 && _runsBeforeAJob >= MostRunsBeforeAJob;
        var (first, second) = jobFirst ? (_jobs, _requests) : (_requests, _jobs);
        var most = MostRows();
        var lead = Next(first, now) ?? Next(second, now);
        if (lead is null)
            return;
        _runsBeforeAJob = lead.Lane == Lane.Job || _jobs.Count == 0 ? 0 : _runsBeforeAJob + 1;
        batch.Add(lead);
        if (model.MaxBatchSize < 2 || lead.Alone || lead.Rows is not { } rows)
            return;
        Fill(first, batch, most, ref rows, now);
        Fill(second, batch, most, ref rows, now);
    }

    public List<WorkItem> TakeAllJobs()
    {
        var jobs = _jobs.UnorderedItems.Select(e => e.Element).ToList();
        _jobs.Clear();
        _rows = _requests.UnorderedItems.Sum(e => e.Element.Rows ?? 1);
        return jobs;
    }

    private PriorityQueue<WorkItem, (int, long)> Queue(Lane lane) => lane == Lane.Job ? _jobs : _requests;

    private long MostRows()
    {
        for (var at = _preferred.Length - 1; at >= 0; at--)
        {
            if (_preferred[at] <= _rows)
                return Math.Min(_preferred[at], model.MaxBatchSize);
        }
        return model.MaxBatchSize;
    }

    private WorkItem? Next(PriorityQueue<WorkItem, (int, long)> queue, long now)
    {
        while (queue.TryDequeue(out var item, out _))
        {
            _rows -= item.Rows ?? 1;
            if (IsWanted(item, now))
                return item;
        }
        return null;
    }

    private static bool IsWanted(WorkItem item, long now)
    {
        if (item.Deadline <= now)
            item.TryEnd(new RunOutcome.Failed(RunFailure.Timeout));
        return !item.HasEnded;
    }

    private void Fill(PriorityQueue<WorkItem, (int, long)> queue, List<WorkItem> batch, long most, ref long rows, long now)
    {
        List<(WorkItem Item, (int, long) Order)>? passed = null;
        while (rows < most && (passed?.Count ?? 0) < MostLookedPast && queue.TryDequeue(out var item, out var order))
        {
            if (IsWanted(item, now) && (item.Alone || item.Rows is not { } more || rows + more > most || !Batches.Agree(batch[0].Request, item.Request)))
            {
                (passed ??= []).Add((item, order));
                continue;
            }
            _rows -= item.Rows ?? 1;
            if (item.HasEnded)
                continue;
            batch.Add(item);
            rows += item.Rows ?? 1;
        }
        if (passed is not null)
            queue.EnqueueRange(passed);
    }
}
