using Microsoft.Extensions.Logging;
using Millrace.Hosting.Lifecycle;
using Millrace.Storage.Announcements;

namespace Millrace.Worker;

/// <summary>Tells the store that this worker is alive.</summary>
internal sealed class Heartbeat(IAnnouncementStore announcements, WorkerIdentity worker, TimeProvider time, ILogger<Heartbeat> logger)
    : PassLoop(WorkerLiveness.BeatEvery, time, logger)
{
    public override Task RunOnceAsync(CancellationToken cancellation) => announcements.BeatAsync(worker.Id, cancellation);
}
