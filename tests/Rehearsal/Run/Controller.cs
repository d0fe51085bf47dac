using System.Diagnostics;
using Millrace.Rehearsal.Scaling;

namespace Millrace.Rehearsal.Run;

/// <summary>What one of the two loops saw and did.</summary>
/// <param name="Loop">poll: KEDA's own, from none to the first and to none. sync: the HPA's.</param>
/// <param name="Readings">One for each trigger.</param>
internal sealed record Decision(TimeSpan At, string Loop, int From, int To, int? Proposal, IReadOnlyList<double?> Readings);

/// <summary>Runs both loops of one ScaledObject at their periods, on the broker's figures, and scales the pool.</summary>
internal sealed class Controller(ScaledObject target, BrokerFigures broker, WorkerPool pool, Stopwatch clock)
{
    private readonly Keda _keda = new(target);
    private readonly HorizontalAutoscaler _hpa = new(target);
    private readonly List<Decision> _decisions = [];

    public ScaledObject Target => target;

    public WorkerPool Pool => pool;

    public IReadOnlyList<Decision> Decisions => _decisions;

    public async Task RunAsync(CancellationToken stop)
    {
        var (poll, sync) = (clock.Elapsed, clock.Elapsed + (target.SyncPeriod / 2));
        while (!stop.IsCancellationRequested)
        {
            var due = poll < sync ? poll : sync;
            if (due > clock.Elapsed)
            {
                try { await Task.Delay(due - clock.Elapsed, TimeProvider.System, stop); }
                catch (OperationCanceledException) { return; }
            }
            if (due == poll)
            {
                await PollAsync();
                poll += target.PollingInterval;
            }
            else
            {
                await SyncAsync();
                sync += target.SyncPeriod;
            }
        }
    }

    private async Task PollAsync()
    {
        var readings = await ReadAsync();
        var (now, from) = (clock.Elapsed, pool.Count);
        Apply(new Decision(now, "poll", from, _keda.Decide(now, from, readings), null, readings));
    }

    private async Task SyncAsync()
    {
        if (pool.Count == 0)
            return; // the HPA is off, and asks nobody
        var readings = await ReadAsync();
        var (now, from) = (clock.Elapsed, pool.Count);
        var to = _hpa.Decide(now, from, _keda.Metrics(from, readings));
        Apply(new Decision(now, "sync", from, to, _hpa.Proposal, readings));
    }

    private void Apply(Decision decision)
    {
        _decisions.Add(decision);
        if (decision.To != decision.From)
            pool.ScaleTo(decision.To);
    }

    private Task<double?[]> ReadAsync() => Task.WhenAll(target.Triggers.Select(broker.ReadAsync));
}
