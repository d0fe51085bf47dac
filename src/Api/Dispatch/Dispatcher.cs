using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Faults;
using Millrace.Hosting.Lifecycle;
using Millrace.Messages;
using Millrace.Storage;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Dispatch;

/// <summary>Refills the windows: with what did not fit when it was accepted, with retries, and with jobs whose not_before has come.</summary>
internal sealed class Dispatcher : PassLoop
{
    private readonly IDispatchStore _store;
    private readonly ITicketQueue _tickets;
    private readonly FaultPoints _faults;
    private readonly int _window;
    private readonly IDisposable _subscription;
    private volatile bool _backlog;
    private int _ended;

    public Dispatcher(
        IDispatchStore store, ITicketQueue tickets, IEventBus events, FaultPoints faults, DispatchOptions options, StoreOptions storeOptions, TimeProvider time, ILogger<Dispatcher> logger)
        : base(options.Interval, time, logger)
    {
        (_store, _tickets, _faults, _window) = (store, tickets, faults, storeOptions.Window);
        _subscription = events.Subscribe<JobsFinished>(m => NoteEnded(m.JobIds.Count));
    }

    /// <summary>Something waits outside its window.</summary>
    public void NoteBacklog() => _backlog = true;

    public override async Task RunOnceAsync(CancellationToken cancellation)
    {
        Interlocked.Exchange(ref _ended, 0);
        _backlog = false;
        var tickets = await _store.RefillAsync(atMost: _window, cancellation);
        if (tickets.Count == 0)
            return;
        _backlog = true; // there may be more
        _faults.Hit(Points.AfterRefill, tickets[0].Model);
        await _tickets.PublishAsync(tickets, cancellation);
    }

    /// <summary>With a backlog, a quarter of the window drained is reason enough to refill before the timer does.</summary>
    private void NoteEnded(int count)
    {
        if (Interlocked.Add(ref _ended, count) >= (_window + 3) / 4 && _backlog)
            Wake();
    }

    public override void Dispose()
    {
        _subscription.Dispose();
        base.Dispose();
    }
}
