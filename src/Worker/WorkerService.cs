using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Chaos;
using Millrace.Hosting.Faults;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;
using Millrace.Storage;
using Millrace.Storage.Announcements;
using Millrace.Storage.Jobs;
using Millrace.Worker.Batching;
using Millrace.Worker.Consumers;
using Millrace.Worker.Execution;
using Millrace.Worker.Leases;
using Millrace.Worker.Models;

namespace Millrace.Worker;

/// <summary>A worker's life: load, announce, attach to both lanes of each model; at the end take nothing more, give back, detach, leave.</summary>
internal sealed class WorkerService(
    ModelRepository repository, ModelHost models, RunLedger ledger, RunMetrics runMetrics, JobMetrics jobMetrics, FaultPoints faults, ChaosSwitch chaos, IAnnouncementStore announcements, IEventBus events,
    IWorkQueue queue, PackConsumer packs, IClaimStore store, JobFinisher finisher, LeaseKeeper leases, RunsInWork runs, Draining draining,
    WorkerIdentity worker, WorkerOptions options, TimeProvider time, ILoggerFactory loggers) : IHostedService, IDisposable
{
    private static readonly TimeSpan RetryStoreAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestGoodbye = TimeSpan.FromSeconds(2);

    private readonly ILogger _logger = loggers.CreateLogger<WorkerService>();
    private readonly List<IWorkConsumer> _consumers = [];
    private readonly CancellationTokenSource _stop = new();
    private IDisposable? _stops;
    private volatile bool _isAttached;
    private Task _attaching = Task.CompletedTask;

    /// <summary>Its models are announced, and it consumes; or it stands by.</summary>
    public bool IsReady => _isAttached || options.Standby;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var (loaded, broken) = repository.LoadAll();
        foreach (var model in loaded)
            models.Add(new Batcher(model, ledger, runMetrics, faults, chaos, time, loggers.CreateLogger<Batcher>()));
        models.AddBroken(broken);
        if (options.Standby)
        {
            _logger.StandsBy(loaded.Count);
            return;
        }
        _stops = events.Subscribe<StopRuns>(runs.Stop);
        try { await AttachAsync(cancellationToken); }
        catch (StoreUnavailableException error)
        {
            _logger.WaitingForStore(error.Message);
            _attaching = Task.Run(AttachLaterAsync, CancellationToken.None);
        }
        draining.Begun.Register(TakeNothingMore);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _attaching;
        runs.GiveBackAll(); // what the time for draining did not suffice for
        await Task.WhenAll(_consumers.Select(c => c.DisposeAsync().AsTask()));
        _stops?.Dispose();
        await finisher.DisposeAsync();
        try { await announcements.LeaveAsync(worker.Id, CancellationToken.None).WaitAsync(LongestGoodbye, time, CancellationToken.None); }
        catch (Exception error) when (error is StoreUnavailableException or TimeoutException) { } // it is soon known by its silence
    }

    public void Dispose() => _stop.Dispose();

    private async Task AttachAsync(CancellationToken cancellation)
    {
        await announcements.AnnounceAsync(worker.Id, models.Announce(), cancellation);
        await events.PublishAsync(new ModelsChanged { Worker = worker.Id }, cancellation);
        foreach (var name in models.Names)
            Attach(name);
        _isAttached = true;
    }

    private async Task AttachLaterAsync()
    {
        while (!_isAttached)
        {
            try
            {
                await Task.Delay(RetryStoreAfter, time, _stop.Token);
                await AttachAsync(_stop.Token);
            }
            catch (StoreUnavailableException) { } // said once
            catch (OperationCanceledException) { return; } // leaving
        }
        _logger.Attached(models.Names.Count);
    }

    private void Attach(string model)
    {
        var pump = new JobPump(model, models, store, finisher, leases, runs, draining, worker, options, jobMetrics, faults, time, loggers.CreateLogger<JobPump>());
        _consumers.Add(queue.ConsumePacks(model, models.Versions(model).Sum(b => b.Model.Instances), packs.HandleAsync));
        _consumers.Add(queue.ConsumeTickets(model, pump.Prefetch, pump.HandleAsync));
    }

    private void TakeNothingMore()
    {
        foreach (var consumer in _consumers)
            consumer.StopTaking();
        foreach (var batcher in models.Names.SelectMany(models.Versions))
            batcher.GiveBackWaitingJobs();
    }
}
