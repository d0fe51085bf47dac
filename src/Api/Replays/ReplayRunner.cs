using Microsoft.Extensions.Logging;
using Millrace.Api.Dispatch;
using Millrace.Api.Models;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;
using Millrace.Storage.Replays;

namespace Millrace.Api.Replays;

/// <summary>Makes the jobs of bulk replays, a few at a time, as fast as each one's rate allows. Safe in every replica at once.</summary>
internal sealed class ReplayRunner(IReplayStore store, ModelCatalog catalog, TicketOutbox tickets, Dispatcher dispatcher, JobMetrics metrics, TimeProvider time, ILogger<ReplayRunner> logger)
    : PassLoop(TimeSpan.FromMilliseconds(250), time, logger)
{
    private const int SmallBatch = 100;
    private const int LargeBatch = 1000;

    public override async Task RunOnceAsync(CancellationToken cancellation)
    {
        foreach (var replay in await store.DueBulksAsync(cancellation))
        {
            var atMost = Math.Clamp((int)(replay.RatePerSecond ?? 0) / 2, SmallBatch, LargeBatch); // half a second's worth, in a pass of a quarter
            foreach (var (job, dispatched) in await store.StepBulkAsync(replay.Id, Newest, atMost, cancellation))
            {
                metrics.Accepted(job.Model, isReplay: true);
                if (dispatched)
                    tickets.Post(new RunJob { JobId = job.Id.Value, Model = job.Model });
            }
            dispatcher.NoteBacklog(); // what did not fit into the window
            if (replay.RatePerSecond is null)
                Wake(); // there may be more
        }
    }

    private string? Newest(string model) => catalog.Find(model)?.Main?.Version;
}
