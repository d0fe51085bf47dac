using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Lifecycle;
using Millrace.Messages;
using Millrace.Storage;
using Millrace.Storage.Announcements;
using Millrace.Worker.Consumers;
using Millrace.Worker.Models;

namespace Millrace.Worker;

/// <summary>A worker's life: load, announce, attach to both lanes of each model; at the end take nothing more, give back, detach, leave. What happens in between is <see cref="RepositoryWatch"/>'s.</summary>
internal sealed class WorkerService(
    RepositoryWatch watch, ModelHost models, ModelConsumers consumers, OnDemandVersions onDemand, IAnnouncementStore announcements, IEventBus events, JobFinisher finisher, RunsInWork runs,
    Draining draining, WorkerIdentity worker, WorkerOptions options, TimeProvider time, ILogger<WorkerService> logger) : IHostedService
{
    private static readonly TimeSpan LongestGoodbye = TimeSpan.FromSeconds(2);

    private IDisposable? _stops;

    /// <summary>Its models are announced, and it consumes; or it stands by.</summary>
    public bool IsReady => watch.IsReady || options.Standby;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await watch.LoadFirstAsync(cancellationToken);
        if (options.Standby)
        {
            logger.StandsBy(watch.Loaded);
            return;
        }
        _stops = events.Subscribe<StopRuns>(runs.Stop);
        try { await watch.RunOnceAsync(cancellationToken); }
        catch (StoreUnavailableException error) { logger.WaitingForStore(error.Message); } // its passes go on, and it attaches when the store is there
        draining.Begun.Register(TakeNothingMore);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        onDemand.Close();
        runs.GiveBackAll(); // what the time for draining did not suffice for
        await consumers.DetachAsync();
        _stops?.Dispose();
        await finisher.DisposeAsync();
        try { await announcements.LeaveAsync(worker.Id, CancellationToken.None).WaitAsync(LongestGoodbye, time, CancellationToken.None); }
        catch (Exception error) when (error is StoreUnavailableException or TimeoutException) { } // it is soon known by its silence
    }

    private void TakeNothingMore()
    {
        consumers.StopTaking();
        onDemand.Close();
        foreach (var batcher in models.All)
            batcher.GiveBackWaitingJobs();
    }
}
