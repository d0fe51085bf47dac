using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Millrace.Hosting.Chaos;
using Millrace.Hosting.Faults;
using Millrace.Hosting.Inference;
using Millrace.Storage.Jobs;
using Millrace.Worker.Execution;
using Millrace.Worker.Models;
using Polly;

namespace Millrace.Worker.Batching;

/// <summary>Runs one version of a model on threads of its own, one for each instance. While all are busy, arrivals wait; the next free one takes
/// all that agree in shape in one run. Nothing waits for company while an instance is free.</summary>
internal sealed class Batcher : IDisposable
{
    /// <summary>A worker claims no more jobs than it can run in about this time: what is claimed can't be run by another.</summary>
    private const double ClaimAheadSeconds = 0.2;

    private static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(2);

    private readonly Lock _statistics = new();
    private readonly object _gate = new();
    private readonly WaitingItems _waiting;
    private readonly RunLedger _ledger;
    private readonly RunMetrics _metrics;
    private readonly FaultPoints _faults;
    private readonly ResiliencePipeline _calls;
    private readonly ResiliencePipeline<ModelRun> _outcomes;
    private readonly TimeProvider _time;
    private readonly ILogger<Batcher> _logger;
    private readonly List<Thread> _threads = [];
    private readonly long _mostClaimedBytes;
    private double _secondsPerItem = ClaimAheadSeconds;
    private double _bytesPerItem;
    private bool _stopped;

    /// <param name="statistics">Those of a batcher before this one, to be counted on.</param>
    public Batcher(LoadedModel model, RunLedger ledger, RunMetrics metrics, RunStatistics statistics, FaultPoints faults, ChaosSwitch chaos, long mostClaimedBytes, TimeProvider time, ILogger<Batcher> logger)
    {
        (Model, _ledger, _metrics, _faults, _time, _logger) = (model, ledger, metrics, faults, time, logger);
        (Statistics, _mostClaimedBytes) = (statistics, mostClaimedBytes);
        _calls = chaos.Calls(ChaosTargets.Model, static () => new InjectedFaultException("The run was made to fail (chaos)."));
        _outcomes = chaos.Outcomes(ChaosTargets.Model, static () => Outcome.FromException<ModelRun>(new InvalidDataException("The output was made unreadable (chaos).")));
        _waiting = new WaitingItems(model);
        for (var instance = 0; instance < model.Instances; instance++)
        {
            var thread = new Thread(RunLoop) { IsBackground = true, Name = $"{model.Name}/{model.Version}#{instance}" };
            _threads.Add(thread);
            thread.Start();
        }
    }

    public LoadedModel Model { get; }
    public RunStatistics Statistics { get; }

    /// <summary>Jobs that are worth having here at once: those in the runs and, where runs are short, as many ready behind them; fewer where their inputs are large.</summary>
    public int JobSlots
    {
        get
        {
            lock (_statistics)
            {
                var rounds = _secondsPerItem < ClaimAheadSeconds / 2 ? 2 : 1;
                var slots = rounds * Model.Instances * Math.Clamp((int)(ClaimAheadSeconds / _secondsPerItem), 1, Math.Max(Model.MaxBatchSize, 1));
                return _bytesPerItem * slots <= _mostClaimedBytes ? slots : Math.Max(1, (int)(_mostClaimedBytes / _bytesPerItem));
            }
        }
    }

    /// <summary>False when it takes nothing more.</summary>
    public bool TryAdd(WorkItem item)
    {
        item.Arrived = _time.GetTimestamp();
        if (item.Trace is not null)
            item.ArrivedAt = _time.GetUtcNow();
        lock (_gate)
        {
            if (!_stopped)
            {
                _waiting.Add(item);
                Monitor.Pulse(_gate);
                return true;
            }
        }
        return false;
    }

    /// <summary>Ends waiting jobs unrun; what runs goes on.</summary>
    public void GiveBackWaitingJobs()
    {
        lock (_gate)
        {
            foreach (var job in _waiting.TakeAllJobs())
                job.TryEnd(new RunOutcome.GivenBack());
        }
    }

    /// <summary>Takes nothing more, runs what waits, and waits for the runs to end, but not for ever: native code may not listen. A session that still runs is not
    /// disposed, since that would abort the process; another call looks again.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopped = true;
            Monitor.PulseAll(_gate);
        }
        if (_threads.TrueForAll(thread => thread.Join(LongestEnd)))
            Model.Dispose();
    }

    private void RunLoop()
    {
        var batch = new List<WorkItem>();
        while (TryTake(batch))
        {
            try { Run(batch); }
            catch (Exception error) // an instance must outlive whatever one batch brings
            {
                _logger.RunBroke(error, Model.Name, Model.Version);
                foreach (var item in batch)
                    item.TryEnd(new RunOutcome.Failed(RunFailure.From(error)));
            }
            batch.Clear();
        }
    }

    private bool TryTake(List<WorkItem> batch)
    {
        lock (_gate)
        {
            while (true)
            {
                var now = _time.GetTimestamp();
                if (!_stopped && _waiting.WaitForCompany(now, _time.TimestampFrequency) is var wait && wait > TimeSpan.Zero)
                {
                    Monitor.Wait(_gate, wait); // an arrival wakes it too
                    continue;
                }
                _waiting.Take(batch, now);
                if (batch.Count > 0)
                    return true;
                if (_stopped)
                    return false;
                Monitor.Wait(_gate);
            }
        }
    }

    private void Run(List<WorkItem> batch)
    {
        var error = TryRun(batch);
        if (error is null)
            return;
        if (batch.Count == 1)
        {
            Fail(batch[0], error);
            return;
        }
        if (error is UnevenBatchException)
            Model.StopBatching();
        _logger.BatchSplit(Model.Name, Model.Version, batch.Count, error.Message);
        foreach (var item in batch.Where(i => !i.HasEnded)) // one bad request must not fail its neighbours
        {
            if (TryRun([item]) is { } own)
                Fail(item, own);
        }
    }

    private void Fail(WorkItem item, Exception error)
    {
        item.TryEnd(new RunOutcome.Failed(RunFailure.From(error)));
        Statistics.Failed(_time.GetElapsedTime(item.Arrived));
    }

    private Exception? TryRun(IReadOnlyList<WorkItem> items)
    {
        _ledger.Write("start", this, items);
        using var run = new ActiveRun(items, _time);
        using var spans = RunSpans.Begin(Model, items, _time);
        var started = _time.GetTimestamp();
        try
        {
            _faults.Hit(Points.InRun, Model.Name);
            _calls.Execute(static () => { });
            var waited = TimeSpan.Zero;
            foreach (var item in items)
                waited += _time.GetElapsedTime(item.Arrived, started);
            using var call = new ModelRun(Model, items.Select(i => i.Request).ToArray());
            var ready = _time.GetTimestamp();
            _outcomes.Execute(static state => { state.Call.Execute(state.Options); return state.Call; }, (Call: call, run.Options));
            var ran = _time.GetTimestamp();
            _ledger.Write("end", this, items); // before any outcome leaves: a result that is written earlier is not this run's
            _faults.Hit(Points.AfterRun, Model.Name);
            Observe(_time.GetElapsedTime(started), items);
            var answered = 0;
            for (var at = 0; at < items.Count; at++)
            {
                var outcome = Respond(call, items[at].Request, at);
                items[at].TryEnd(outcome);
                if (outcome is RunOutcome.Done)
                    answered++;
                else
                    Statistics.Failed(_time.GetElapsedTime(items[at].Arrived));
            }
            Statistics.Ran(items.Count, answered, items.Sum(i => i.Rows ?? 1), waited,
                new RunTimes(_time.GetElapsedTime(started, ready), _time.GetElapsedTime(ready, ran), _time.GetElapsedTime(ran)));
            return null;
        }
        catch (Exception error) when (error is OnnxRuntimeException or UnevenBatchException or InvalidDataException or InjectedFaultException
            or EmptyInputException or ResultTooLargeException or OutOfMemoryException or OverflowException)
        {
            _ledger.Write("end", this, items);
            _metrics.Failed(Model.Name, Model.Version);
            spans?.Fail(error);
            return error;
        }
    }

    private RunOutcome Respond(ModelRun call, InferenceRequest request, int index)
    {
        try { return new RunOutcome.Done(new InferenceResponse(Model.Name, Model.Version, request.Id, call.OutputsOf(index)).Encode()); }
        catch (Exception error) when (error is ResultTooLargeException or InvalidDataException) { return new RunOutcome.Failed(RunFailure.From(error)); }
        catch (OverflowException)
        {
            return new RunOutcome.Failed(new RunFailure(
                JobErrorCodes.ResultTooLarge, "The result is larger than can be sent.", false, Messages.InferFailure.TooLarge));
        }
    }

    private void Observe(TimeSpan run, IReadOnlyList<WorkItem> items)
    {
        _metrics.Ran(Model.Name, Model.Version, items.Count, run);
        var bytes = items.Average(i => i.Bytes);
        lock (_statistics)
        {
            _secondsPerItem = (0.8 * _secondsPerItem) + (0.2 * Math.Max(run.TotalSeconds / items.Count, 1e-7));
            _bytesPerItem = Math.Max(bytes, (0.8 * _bytesPerItem) + (0.2 * bytes)); // at once when inputs grow, slowly when they shrink
        }
    }
}
