using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Storage;

namespace Millrace.Hosting.Lifecycle;

/// <summary>A timer around one pass. A pass that fails is logged and followed by the next; <see cref="Wake"/> brings the next one forward.</summary>
/// <param name="firstAtStart">The start waits for one pass, so that what comes after finds its result; with the store away, it does not.</param>
public abstract class PassLoop(TimeSpan every, TimeProvider time, ILogger logger, bool firstAtStart = false) : BackgroundService
{
    protected TimeProvider Time => time;

    private readonly SemaphoreSlim _wake = new(0, 1);
    private Type? _failing;

    /// <summary>After each pass: how long it took, and whether it came to its end.</summary>
    public event Action<TimeSpan, bool>? Passed;

    /// <summary>One pass; tests call it by hand.</summary>
    public abstract Task RunOnceAsync(CancellationToken cancellation);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (firstAtStart)
                await RunOnceAsync(cancellationToken);
        }
        catch (StoreUnavailableException) { } // told by who prepares the store; the next pass tries again
        await base.StartAsync(cancellationToken);
    }

    public void Wake()
    {
        if (_wake.CurrentCount > 0)
            return;
        try { _wake.Release(); }
        catch (SemaphoreFullException) { } // somebody else woke it just now
        catch (ObjectDisposedException) { } // the process leaves
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var began = time.GetTimestamp();
            try
            {
                await RunOnceAsync(stoppingToken);
                _failing = null;
            }
            catch (Exception error) when (!stoppingToken.IsCancellationRequested) { Tell(error); } // the next pass finds what this one left
            catch (Exception) { return; } // the process leaves, and with it what the pass needed
            Passed?.Invoke(time.GetElapsedTime(began), _failing is null);
            await WaitAsync(stoppingToken);
        }
    }

    /// <summary>A server that is away is told in one line, once; anything else is a surprise each time.</summary>
    private void Tell(Exception error)
    {
        if (error is not (StoreUnavailableException or BrokerUnavailableException))
            logger.PassFailed(error, GetType().Name);
        else if (_failing != error.GetType())
            logger.PassWaits(GetType().Name, error.Message);
        _failing = error.GetType();
    }

    private async Task WaitAsync(CancellationToken stopping)
    {
        using var timer = time.CreateTimer(static loop => ((PassLoop)loop!).Wake(), this, every, Timeout.InfiniteTimeSpan);
        try { await _wake.WaitAsync(stopping); }
        catch (OperationCanceledException) { } // the process leaves
    }

    public override void Dispose()
    {
        _wake.Dispose();
        base.Dispose();
        GC.SuppressFinalize(this);
    }
}
