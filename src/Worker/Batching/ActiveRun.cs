using Microsoft.ML.OnnxRuntime;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Batching;

/// <summary>A run in progress: ends its items at their deadlines, and terminates the graph when no item wants it any more.</summary>
internal sealed class ActiveRun : IDisposable
{
    private readonly Lock _gate = new();
    private readonly IReadOnlyList<WorkItem> _items;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private bool _ended;

    public ActiveRun(IReadOnlyList<WorkItem> items, TimeProvider time)
    {
        (_items, _time) = (items, time);
        foreach (var item in items)
            item.Begin(time);
        _timer = time.CreateTimer(static run => ((ActiveRun)run!).EndOverdue(), this, UntilNextDeadline(), Timeout.InfiniteTimeSpan);
        foreach (var item in items)
            item.Run = this;
        Interlocked.MemoryBarrier(); // who ends an item looks for its run afterwards, so here it is the other way round
        TerminateIfUnwanted(); // one may have been stopped just before it knew of this run
    }

    /// <summary>Of this run alone: a terminate flag stays set.</summary>
    public RunOptions Options { get; } = new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };

    public void TerminateIfUnwanted()
    {
        if (_items.All(i => i.HasEnded))
            Terminate();
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _ended = true;
            Options.Dispose();
        }
        _timer.Dispose();
        foreach (var item in _items)
            item.Run = null;
    }

    private void Terminate()
    {
        lock (_gate)
        {
            if (!_ended)
                Options.Terminate = true; // takes effect between two nodes of the graph
        }
    }

    private void EndOverdue()
    {
        var now = _time.GetTimestamp();
        foreach (var item in _items)
        {
            if (item.Deadline <= now)
                item.Stop(new RunOutcome.Failed(RunFailure.Timeout));
        }
        lock (_gate)
        {
            if (!_ended && _items.Any(i => !i.HasEnded))
                _timer.Change(UntilNextDeadline(), Timeout.InfiniteTimeSpan);
        }
    }

    private TimeSpan UntilNextDeadline()
    {
        var next = _items.Where(i => !i.HasEnded).Min(i => (long?)i.Deadline);
        if (next is null)
            return Timeout.InfiniteTimeSpan;
        var left = _time.GetElapsedTime(_time.GetTimestamp(), next.Value);
        return left > TimeSpan.Zero ? left + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero;
    }
}
