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
    private long _arrivals;
    private int _runsBeforeAJob;

    public void Add(WorkItem item) => Queue(item.Lane).Enqueue(item, (item.Priority, _arrivals++));

    /// <summary>The next batch: the first in line, and all behind it that agree with it in shape, up to the model's most rows. Empty when nothing waits.</summary>
    public void Take(List<WorkItem> batch, long now)
    {
        var jobFirst = _jobs.Count > 0 && _runsBeforeAJob >= MostRunsBeforeAJob;
        var (first, second) = jobFirst ? (_jobs, _requests) : (_requests, _jobs);
        var lead = Next(first, now) ?? Next(second, now);
        if (lead is null)
            return;
        _runsBeforeAJob = lead.Lane == Lane.Job || _jobs.Count == 0 ? 0 : _runsBeforeAJob + 1;
        batch.Add(lead);
        if (model.MaxBatchSize < 2 || lead.Alone || ModelRun.Rows(lead.Request) is not { } rows)
            return;
        Fill(first, batch, ref rows, now);
        Fill(second, batch, ref rows, now);
    }

    public List<WorkItem> TakeAllJobs()
    {
        var jobs = _jobs.UnorderedItems.Select(e => e.Element).ToList();
        _jobs.Clear();
        return jobs;
    }

    private PriorityQueue<WorkItem, (int, long)> Queue(Lane lane) => lane == Lane.Job ? _jobs : _requests;

    private static WorkItem? Next(PriorityQueue<WorkItem, (int, long)> queue, long now)
    {
        while (queue.TryDequeue(out var item, out _))
        {
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

    private void Fill(PriorityQueue<WorkItem, (int, long)> queue, List<WorkItem> batch, ref long rows, long now)
    {
        List<(WorkItem Item, (int, long) Order)>? passed = null;
        while (rows < model.MaxBatchSize && (passed?.Count ?? 0) < MostLookedPast && queue.TryDequeue(out var item, out var order))
        {
            if (!IsWanted(item, now))
                continue;
            if (!item.Alone && ModelRun.Rows(item.Request) is { } more && rows + more <= model.MaxBatchSize && ModelRun.Agree(batch[0].Request, item.Request))
            {
                batch.Add(item);
                rows += more;
            }
            else
            {
                (passed ??= []).Add((item, order));
            }
        }
        if (passed is not null)
            queue.EnqueueRange(passed);
    }
}
