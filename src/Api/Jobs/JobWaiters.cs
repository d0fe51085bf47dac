using System.Collections.Concurrent;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Lifecycle;
using Millrace.Messages;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

/// <summary>Holds requests until a job ends. They listen to events and re-read the store on a slow timer besides, so that a lost event costs time only.</summary>
internal sealed class JobWaiters : IDisposable
{
    private static readonly TimeSpan ReadAgainAfter = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<Guid, Signal> _signals = new();
    private readonly IJobStore _store;
    private readonly Draining _draining;
    private readonly TimeProvider _time;
    private readonly IDisposable _subscription;

    public JobWaiters(IJobStore store, IEventBus events, Draining draining, TimeProvider time)
    {
        (_store, _draining, _time) = (store, draining, time);
        _subscription = events.Subscribe<JobsFinished>(Wake);
    }

    /// <summary>The job when it is final, or as it stands when the time is over or the process stops. Null when it is unknown.</summary>
    public async Task<Job?> WaitAsync(string tenant, JobId id, TimeSpan longest, CancellationToken cancellation)
    {
        var started = _time.GetTimestamp();
        while (true)
        {
            var signal = Enter(id.Value); // before the read: an end in between is not missed
            try
            {
                var job = await _store.ReadAsync(tenant, id, cancellation);
                var left = longest - _time.GetElapsedTime(started);
                if (job is null || job.State.IsFinal() || left <= TimeSpan.Zero || _draining.Begun.IsCancellationRequested)
                    return job;
                await PauseAsync(signal, left < ReadAgainAfter ? left : ReadAgainAfter, cancellation);
            }
            finally
            {
                Leave(id.Value, signal);
            }
        }
    }

    public void Dispose() => _subscription.Dispose();

    private async Task PauseAsync(Signal signal, TimeSpan pause, CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _draining.Begun);
        try { await signal.Ended.Task.WaitAsync(pause, _time, either.Token); }
        catch (TimeoutException) { }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested) { } // the process stops: answer with what is
    }

    private Signal Enter(Guid id)
    {
        while (true)
        {
            var signal = _signals.GetOrAdd(id, _ => new Signal());
            if (signal.TryEnter())
                return signal;
            _signals.TryRemove(KeyValuePair.Create(id, signal)); // the last waiter left it just now
        }
    }

    private void Leave(Guid id, Signal signal)
    {
        if (signal.LeaveIsLast())
            _signals.TryRemove(KeyValuePair.Create(id, signal));
    }

    private void Wake(JobsFinished message)
    {
        if (_signals.IsEmpty)
            return;
        foreach (var id in message.JobIds)
        {
            if (_signals.TryGetValue(id, out var signal))
                signal.Ended.TrySetResult();
        }
    }

    /// <summary>Shared by all that wait for one job; closed when the last has left.</summary>
    private sealed class Signal
    {
        private int _waiting; // -1: closed

        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool TryEnter()
        {
            while (true)
            {
                var waiting = Volatile.Read(ref _waiting);
                if (waiting < 0)
                    return false;
                if (Interlocked.CompareExchange(ref _waiting, waiting + 1, waiting) == waiting)
                    return true;
            }
        }

        public bool LeaveIsLast() => Interlocked.Decrement(ref _waiting) == 0 && Interlocked.CompareExchange(ref _waiting, -1, 0) == 0;
    }
}
