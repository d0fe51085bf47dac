using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Faults;
using Millrace.Storage;
using Millrace.Storage.Jobs;
using Millrace.Worker.Batching;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Leases;

/// <summary>Renews the leases of all claimed jobs together, every third of a lease, on a thread of its own: a starved thread pool must not cost leases.</summary>
internal sealed class LeaseKeeper : IDisposable
{
    private readonly ConcurrentDictionary<JobId, Held> _held = new();
    private readonly ManualResetEventSlim _stop = new();
    private readonly IClaimStore _store;
    private readonly FaultPoints _faults;
    private readonly TimeSpan _lease;
    private readonly TimeProvider _time;
    private readonly ILogger<LeaseKeeper> _logger;
    private readonly Thread _thread;

    public LeaseKeeper(IClaimStore store, FaultPoints faults, WorkerOptions options, TimeProvider time, ILogger<LeaseKeeper> logger)
    {
        (_store, _faults, _lease, _time, _logger) = (store, faults, options.Lease, time, logger);
        _thread = new Thread(Run) { IsBackground = true, Name = "lease keeper" };
        _thread.Start();
    }

    public Entry Add(JobId id, Fence fence, WorkItem item)
    {
        _held[id] = new Held(fence, item, _time.GetTimestamp());
        return new Entry(this, id, item);
    }

    public void Dispose()
    {
        _stop.Set();
        _thread.Join();
        _stop.Dispose();
    }

    private void Run()
    {
        while (!_stop.Wait(_lease / 3))
        {
            try { RenewOnce(); }
            catch (StoreUnavailableException error) { _logger.RenewFailed(error, _held.Count); }
            catch (Exception error) { _logger.RenewFailed(error, _held.Count); } // this thread must live: without it every lease ends
            StopLost();
        }
    }

    private void RenewOnce()
    {
        var held = _held.ToArray();
        if (held.Length == 0)
            return;
        var now = _time.GetTimestamp();
        _faults.Hit(Points.InRenew, "");
        var refused = _store.RenewAsync(held.Select(h => (h.Key, h.Value.Fence)).ToArray(), _lease, CancellationToken.None).GetAwaiter().GetResult();
        foreach (var (_, entry) in held)
            entry.RenewedAt = now;
        foreach (var id in refused)
        {
            if (_held.TryGetValue(id, out var entry))
                entry.Item.Stop(new RunOutcome.Abandoned()); // canceled, or taken back: its result would be dropped
        }
    }

    /// <summary>Without the store a lease can't be renewed: when it has ended, the run must end too.</summary>
    private void StopLost()
    {
        foreach (var (id, held) in _held)
        {
            if (_time.GetElapsedTime(held.RenewedAt) > _lease && !held.Item.HasEnded)
            {
                _logger.LeaseLost(id);
                held.Item.Stop(new RunOutcome.Abandoned());
            }
        }
    }

    private sealed class Held(Fence fence, WorkItem item, long renewedAt)
    {
        public Fence Fence { get; } = fence;
        public WorkItem Item { get; } = item;
        public long RenewedAt { get; set; } = renewedAt;
    }

    internal readonly struct Entry(LeaseKeeper keeper, JobId id, WorkItem item) : IDisposable
    {
        public void Dispose()
        {
            if (keeper._held.TryGetValue(id, out var held) && held.Item == item) // a later claim of the same job may stand here by now
                keeper._held.TryRemove(KeyValuePair.Create(id, held));
        }
    }
}
