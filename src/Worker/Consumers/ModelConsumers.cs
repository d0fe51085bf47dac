using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Faults;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Telemetry;
using Millrace.Storage.Jobs;
using Millrace.Worker.Leases;
using Millrace.Worker.Models;

namespace Millrace.Worker.Consumers;

/// <summary>The consumers of both lanes of each model: attached while the model is served, detached when it is not.</summary>
internal sealed class ModelConsumers(
    ModelHost models, OnDemandVersions onDemand, IWorkQueue queue, PackConsumer packs, IClaimStore store, JobFinisher finisher, LeaseKeeper leases, RunsInWork runs, Draining draining,
    WorkerIdentity worker, WorkerOptions options, JobMetrics metrics, FaultPoints faults, TimeProvider time, ILoggerFactory loggers)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, IWorkConsumer> _packs = [];
    private readonly Dictionary<string, IWorkConsumer> _tickets = [];
    private readonly ConcurrentDictionary<Task, bool> _detaching = new();
    private bool _stopped;

    /// <param name="forRequests">Models whose requests are taken.</param>
    /// <param name="forJobs">Models whose jobs are taken.</param>
    public void Keep(IReadOnlyCollection<string> forRequests, IReadOnlyCollection<string> forJobs)
    {
        lock (_gate)
        {
            if (_stopped)
                return;
            Keep(_packs, forRequests, model => queue.ConsumePacks(model, () => models.Versions(model).Sum(b => b.Model.Instances), packs.HandleAsync));
            Keep(_tickets, forJobs, model =>
            {
                var pump = new JobPump(model, models, onDemand, store, finisher, leases, runs, draining, worker, options, metrics, faults, time, loggers.CreateLogger<JobPump>());
                return queue.ConsumeTickets(model, pump.Prefetch, pump.HandleAsync);
            });
        }
    }

    /// <summary>Leaves further messages to others; nothing is attached any more.</summary>
    public void StopTaking()
    {
        lock (_gate)
        {
            _stopped = true;
            foreach (var consumer in _packs.Values.Concat(_tickets.Values))
                consumer.StopTaking();
        }
    }

    /// <summary>The end: waits a moment for what is in work, also of those that were detached.</summary>
    public async Task DetachAsync()
    {
        StopTaking();
        await Task.WhenAll(_packs.Values.Concat(_tickets.Values).Select(c => c.DisposeAsync().AsTask()).Concat(_detaching.Keys));
    }

    private void Keep(Dictionary<string, IWorkConsumer> attached, IReadOnlyCollection<string> wanted, Func<string, IWorkConsumer> attach)
    {
        foreach (var model in attached.Keys.Except(wanted).ToArray())
        {
            attached.Remove(model, out var consumer);
            var detaching = consumer!.DisposeAsync().AsTask();
            _detaching[detaching] = true;
            _ = detaching.ContinueWith(done => _detaching.TryRemove(done, out _), TaskScheduler.Default);
        }
        foreach (var model in wanted.Except(attached.Keys).ToArray())
            attached.Add(model, attach(model));
    }
}
