using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Faults;
using Millrace.Hosting.Lifecycle;
using Millrace.Messages;
using Millrace.Storage.Announcements;
using Millrace.Storage.Jobs;
using Millrace.Worker.Batching;
using Millrace.Worker.Consumers;
using Millrace.Worker.Execution;
using Millrace.Worker.Leases;
using Millrace.Worker.Models;

namespace Millrace.Worker;

/// <summary>A worker's life: load, announce, attach to both lanes of each model; at the end give back, detach, leave.</summary>
internal sealed class WorkerService(
    ModelRepository repository, ModelHost models, RunLedger ledger, FaultPoints faults, IAnnouncementStore announcements, IEventBus events,
    IWorkQueue queue, PackConsumer packs, IClaimStore store, JobFinisher finisher, LeaseKeeper leases, RunsInWork runs, Draining draining,
    WorkerIdentity worker, WorkerOptions options, TimeProvider time, ILoggerFactory loggers) : IHostedService
{
    private readonly List<IAsyncDisposable> _attached = [];

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var (loaded, broken) = repository.LoadAll();
        foreach (var model in loaded)
            models.Add(new Batcher(model, ledger, faults, time, loggers.CreateLogger<Batcher>()));
        models.AddBroken(broken);
        await announcements.AnnounceAsync(worker.Id, models.Announce(), cancellationToken);
        await events.PublishAsync(new ModelsChanged { Worker = worker.Id }, cancellationToken);
        _attached.Add(new Detach(events.Subscribe<StopRuns>(runs.Stop)));
        foreach (var name in models.Names)
            Attach(name);
        draining.Begun.Register(GiveBackWaitingJobs);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        runs.GiveBackAll(); // what the time for draining did not suffice for
        foreach (var attached in _attached)
            await attached.DisposeAsync();
        _attached.Clear();
        await finisher.DisposeAsync();
        await announcements.LeaveAsync(worker.Id, CancellationToken.None);
    }

    private void Attach(string model)
    {
        var pump = new JobPump(model, models, store, finisher, leases, runs, draining, worker, options, time, loggers.CreateLogger<JobPump>());
        var instances = models.Versions(model).Sum(b => b.Model.Instances);
        _attached.Add(queue.ConsumePacks(model, PacksPerInstance * instances, packs.HandleAsync));
        _attached.Add(queue.ConsumeTickets(model, pump.Prefetch, pump.HandleAsync));
    }

    /// <summary>Packs held for each instance: enough that a free one always finds company for the first in line, and that priorities hold among many.</summary>
    private const int PacksPerInstance = 1024;

    private void GiveBackWaitingJobs()
    {
        foreach (var batcher in models.Names.SelectMany(models.Versions))
            batcher.GiveBackWaitingJobs();
    }

    private sealed class Detach(IDisposable subscription) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            subscription.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
