using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Faults;
using Millrace.Hosting.Inference;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;
using Millrace.Storage;
using Millrace.Storage.Jobs;
using Millrace.Worker.Batching;
using Millrace.Worker.Execution;
using Millrace.Worker.Leases;
using Millrace.Worker.Models;

namespace Millrace.Worker.Consumers;

/// <summary>The jobs of one model: collects the tickets that arrive while the last claim is in flight, and claims for as many as there are free slots.</summary>
internal sealed class JobPump(
    string model, ModelHost models, OnDemandVersions onDemand, IClaimStore store, JobFinisher finisher, LeaseKeeper leases, RunsInWork runs, Draining draining, WorkerIdentity worker,
    WorkerOptions options, JobMetrics metrics, FaultPoints faults, TimeProvider time, ILogger<JobPump> logger)
{
    private static readonly TimeSpan RetryStoreAfter = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Queue<Ticket> _tickets = new();
    private bool _claiming;
    private bool _waits;

    /// <summary>Tickets to take: no more than jobs can be claimed, since a ticket that is held unclaimed looks like a lost one.</summary>
    public int Prefetch() => Math.Max(1, models.Versions(model).Sum(b => b.JobSlots));

    /// <summary>Ends when the ticket may be acknowledged: its job's end is written, or it needs none.</summary>
    public Task HandleAsync(RunJob message)
    {
        var ticket = new Ticket(message.JobId);
        lock (_gate)
        {
            _tickets.Enqueue(ticket);
            if (_claiming)
                return ticket.Done.Task; // it goes with the next claim
            _claiming = true;
        }
        _ = Task.Run(ClaimAsync);
        return ticket.Done.Task;
    }

    private async Task ClaimAsync()
    {
        while (TakeTickets() is { Count: > 0 } tickets)
        {
            try
            {
                var ids = tickets.Select(t => t.JobId).ToArray();
                faults.Hit(Points.OnDelivery, model);
                var claiming = time.GetUtcNow();
                var jobs = await store.ClaimAsync(model, ids, worker.Id, options.Lease, CancellationToken.None);
                faults.Hit(Points.AfterClaim, model);
                _waits = false;
                Start(jobs, tickets, claiming);
            }
            catch (StoreUnavailableException error)
            {
                if (!_waits)
                    logger.ClaimWaits(model, error.Message);
                _waits = true;
                Return(tickets);
                await Task.Delay(RetryStoreAfter, time); // the store is away: hold the tickets rather than hand them back and forth
            }
            catch (Exception error) // a ticket must never be lost to a bug: it goes back, but not in a hot loop
            {
                logger.ClaimFailed(error, model);
                await Task.Delay(RetryStoreAfter, time);
                foreach (var ticket in tickets)
                    ticket.Done.TrySetException(error);
            }
        }
    }

    private List<Ticket> TakeTickets()
    {
        lock (_gate)
        {
            List<Ticket> tickets = draining.Begun.IsCancellationRequested ? [] : [.. _tickets];
            _claiming = tickets.Count > 0;
            if (_claiming)
                _tickets.Clear();
            return tickets;
        }
    }

    private void Return(List<Ticket> tickets)
    {
        lock (_gate)
        {
            foreach (var ticket in tickets)
                _tickets.Enqueue(ticket);
        }
    }

    private void Start(IReadOnlyList<ClaimedJob> jobs, List<Ticket> tickets, DateTimeOffset claiming)
    {
        for (var at = 0; at < jobs.Count; at++)
        {
            metrics.Claimed(model, jobs[at].Waited);
            _ = RunAsync(jobs[at], tickets[at], AttemptSpans.Begin(model, jobs[at], claiming, time));
        }
        foreach (var ticket in tickets.Skip(jobs.Count)) // finished, canceled, or claimed by another: nothing to do
            ticket.Done.TrySetResult();
    }

    private async Task RunAsync(ClaimedJob job, Ticket ticket, AttemptSpans? spans)
    {
        // 1. run  2. commit the end  3. acknowledge: the order is the guarantee
        using var work = draining.Begin();
        RunOutcome outcome;
        try
        {
            using var item = Register(job, spans?.Context);
            await PlaceAsync(job, item.Item);
            outcome = await item.Item.Outcome;
        }
        catch (InvalidDataException) // the stored input is of a format that this worker does not know
        {
            outcome = new RunOutcome.Failed(new RunFailure(JobErrorCodes.ModelError, "The stored input can't be read.", false, InferFailure.ModelError));
        }
        spans?.NoteRan();
        var end = End(job, outcome);
        if (end is not null)
            await finisher.FinishAsync(model, end);
        spans?.End(end);
        ticket.Done.TrySetResult();
    }

    private Registration Register(ClaimedJob job, ActivityContext? trace)
    {
        var item = new WorkItem
        {
            Id = job.Id.Value,
            Lane = Lane.Job,
            Priority = job.Priority,
            Request = InferenceRequest.Decode(job.Input),
            LongestRun = job.Timeout,
            Alone = job.Alone,
            Attempt = job.Attempt,
            Fence = job.Fence.Value,
            Trace = trace,
        };
        return new Registration(item, runs.Add(item), leases.Add(job.Id, job.Fence, item));
    }

    /// <summary>Brings it to its version, which may have to be loaded for it.</summary>
    private async Task PlaceAsync(ClaimedJob job, WorkItem item)
    {
        while (!models.TryAdd(model, job.ModelVersion, item, forJobs: true))
        {
            if (await onDemand.WantAsync(model, job.ModelVersion) is not { } end)
                continue;
            item.TryEnd(end);
            return;
        }
    }

    private AttemptEnd? End(ClaimedJob job, RunOutcome outcome) => outcome switch
    {
        RunOutcome.Done(var response) => new AttemptEnd.Succeeded(job.Id, job.Fence, response),
        RunOutcome.Failed(var failure) => new AttemptEnd.Failed(
            job.Id, job.Fence, new JobError(failure.Code, failure.Message, job.Attempt, failure.Retryable),
            Backoff.Draw(options, job.Attempt), Fingerprints.Of(model, job.ModelVersion, failure)),
        RunOutcome.GivenBack => new AttemptEnd.GivenBack(job.Id, job.Fence),
        RunOutcome.Abandoned => null,
        _ => throw new UnreachableException($"No end for {outcome}"),
    };

    private sealed record Ticket(Guid JobId)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private readonly struct Registration(WorkItem item, RunsInWork.Entry run, LeaseKeeper.Entry lease) : IDisposable
    {
        public WorkItem Item => item;

        public void Dispose()
        {
            run.Dispose();
            lease.Dispose();
        }
    }
}
