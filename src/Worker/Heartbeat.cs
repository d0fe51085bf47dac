using Microsoft.Extensions.Logging;
using Millrace.Hosting.Lifecycle;
using Millrace.Storage.Announcements;

namespace Millrace.Worker;

/// <summary>Tells the store that this worker is alive.</summary>
internal sealed class Heartbeat(IAnnouncementStore announcements, WorkerIdentity worker, WorkerOptions options, TimeProvider time, ILogger<Heartbeat> logger)
    : PassLoop(WorkerLiveness.BeatEvery, time, logger)
{
    private long? _beatAt;

    /// <summary>Since the store last took a beat; null before the first.</summary>
    public TimeSpan? Silence => _beatAt is { } at ? Time.GetElapsedTime(at) : null;

    public override async Task RunOnceAsync(CancellationToken cancellation)
    {
        if (!options.Standby)
            await announcements.BeatAsync(worker.Id, cancellation);
        _beatAt = Time.GetTimestamp();
    }
}
