using Microsoft.Extensions.Logging;
using Millrace.Api.Dispatch;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Faults;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Reconciliation;

/// <summary>Mends what a lost process or message left behind: leases, missing tickets, jobs past their time, old data. Safe in every replica at once.</summary>
internal sealed class Reconciler(
    IRepairStore repair, IDispatchStore dispatch, MissingTickets missing, IEventBus events, JobMetrics metrics, FaultPoints faults,
    ReconcilerOptions options, TimeProvider time, ILogger<Reconciler> logger)
    : PassLoop(options.Interval, time, logger)
{
    private const int SmallBatch = 100;

    public override async Task RunOnceAsync(CancellationToken cancellation)
    {
        await TakeBackAsync(cancellation);
        await ExpireAsync(cancellation);
        while (await repair.PurgeAsync(options.KeepJobs, SmallBatch, cancellation) is > 0 and var purged)
        {
            faults.Hit(Points.AfterPurge, "");
            if (purged < SmallBatch)
                break;
        }
        await PublishDeficitsAsync(cancellation); // last, since a broker that is away ends the pass
    }

    private async Task TakeBackAsync(CancellationToken cancellation)
    {
        IReadOnlyList<RepairedJob> jobs;
        do
        {
            jobs = await repair.TakeBackAsync(SmallBatch, cancellation);
            foreach (var job in jobs)
            {
                metrics.LeaseLost(job.Model);
                logger.LeaseExpired(job.Id, job.Worker, job.Attempt, job.State);
            }
            if (jobs.Count > 0)
                faults.Hit(Points.AfterTakeBack, jobs[0].Model);
            await TellAsync(jobs, cancellation);
        } while (jobs.Count == SmallBatch);
    }

    private async Task ExpireAsync(CancellationToken cancellation)
    {
        IReadOnlyList<RepairedJob> jobs;
        do
        {
            jobs = await repair.ExpireAsync(SmallBatch, cancellation);
            foreach (var job in jobs)
                logger.JobExpired(job.Id, job.State);
            await TellAsync(jobs, cancellation);
        } while (jobs.Count == SmallBatch);
    }

    private async Task PublishDeficitsAsync(CancellationToken cancellation)
    {
        foreach (var model in (await dispatch.CountDispatchedAsync(options.RedispatchAfter, cancellation)).Keys)
        {
            if (await missing.PublishAsync(model, options.RedispatchAfter, cancellation) > 0)
                faults.Hit(Points.AfterDeficit, model);
        }
    }

    private async Task TellAsync(IReadOnlyList<RepairedJob> jobs, CancellationToken cancellation)
    {
        foreach (var ended in jobs.Where(j => j.State.IsFinal()))
            metrics.Ended(ended.Model, ended.State);
        foreach (var model in jobs.Where(j => j.State.IsFinal()).GroupBy(j => j.Model))
            await events.PublishAsync(new JobsFinished { Model = model.Key, JobIds = model.Select(j => j.Id.Value).ToArray() }, cancellation);
    }
}
