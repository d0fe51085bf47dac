using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Millrace.Hosting.Lifecycle;

/// <summary>The orderly end: first no new work (readiness goes red while HTTP is still answered), then what runs may end, then the process leaves.</summary>
public sealed class Draining(DrainOptions options, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<Draining> logger) : IHostedLifecycleService
{
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _working;

    /// <summary>Set when the process was told to stop.</summary>
    public CancellationToken Begun => lifetime.ApplicationStopping;

    /// <summary>A piece of work that the process should not leave behind; dispose it when it ends.</summary>
    public Work Begin()
    {
        Interlocked.Increment(ref _working);
        return new Work(this);
    }

    /// <summary>Runs before the web server and the consumers are stopped.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        lifetime.StopApplication(); // a host that is stopped by hand comes here before it says so
        logger.Draining(options.Timeout);
        CheckIdle();
        try { await _idle.Task.WaitAsync(options.Timeout, time, cancellationToken); }
        catch (TimeoutException) { logger.DrainTimedOut(Volatile.Read(ref _working), options.Timeout); }
        catch (OperationCanceledException) { logger.DrainTimedOut(Volatile.Read(ref _working), options.Timeout); }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void CheckIdle()
    {
        if (Begun.IsCancellationRequested && Volatile.Read(ref _working) == 0)
            _idle.TrySetResult();
    }

    /// <summary>See <see cref="Begin"/>.</summary>
    public readonly struct Work(Draining draining) : IDisposable
    {
        public void Dispose()
        {
            if (Interlocked.Decrement(ref draining._working) == 0)
                draining.CheckIdle();
        }
    }
}

/// <summary>How the process ends.</summary>
public sealed class DrainOptions
{
    /// <summary>How long running work may go on after SIGTERM; then jobs go back to the queue, uncharged. The process leaves a few seconds after that. 0 to 1 h.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(25);
}
