using System.Net;
using Millrace.Rollback.Alerts;
using Millrace.Rollback.Kubernetes;

namespace Millrace.Rollback.Releases;

/// <summary>Decides and acts, one at a time.</summary>
internal sealed class Rollbacks(ReleaseRecord record, Conditions conditions, RollbackSteps steps, RollbackMetrics metrics, ILogger<Rollbacks> logger) : IDisposable
{
    /// <summary>How often another replica may write the record between our reading and writing it, before it is the caller who asks again.</summary>
    private const int Tries = 5;

    private readonly SemaphoreSlim _one = new(1, 1);

    /// <summary>A rollback may have begun and not ended.</summary>
    public bool IsUnfinished { get; private set; } = true;

    /// <summary>Ends what was begun; else looks whether the notification is reason for a rollback, and does it.</summary>
    public async Task<Decision> DecideAsync(Notification notification, CancellationToken cancellation) =>
        await RunAsync(release => CheckAndActAsync(release, notification, cancellation), cancellation) ?? throw new System.Diagnostics.UnreachableException();

    /// <summary>Ends what was begun, perhaps before this process was there.</summary>
    public Task ResumeAsync(CancellationToken cancellation) => RunAsync(static _ => Task.FromResult<Decision?>(null), cancellation);

    public void Dispose() => _one.Dispose();

    private async Task<Decision?> RunAsync(Func<Release, Task<Decision?>> otherwise, CancellationToken cancellation)
    {
        await _one.WaitAsync(cancellation);
        try
        {
            IsUnfinished = true;
            var decision = await TryAsync(otherwise, cancellation);
            IsUnfinished = decision?.Outcome == Outcome.Failed;
            if (decision is not null)
                metrics.Count(decision.Outcome);
            return decision;
        }
        finally { _one.Release(); }
    }

    private async Task<Decision?> TryAsync(Func<Release, Task<Decision?>> otherwise, CancellationToken cancellation)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                var release = await record.ReadAsync(cancellation);
                if (release.LastRollback is { } last)
                    metrics.Last(last);
                return release.RollingBack is null ? await otherwise(release) : await GoOnAsync(release, cancellation) ?? await otherwise(await record.ReadAsync(cancellation));
            }
            catch (KubernetesException error) when (error.IsConflict && tries < Tries) { } // another replica wrote the record: what does it say now?
            catch (KubernetesException error)
            {
                logger.Failed(error.Message);
                var away = error.Status is null or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError;
                return new Decision(Outcome.Failed, away ? "api_server_away" : "api_server_refused", error.Message);
            }
            catch (ReleaseException error)
            {
                logger.Failed(error.Message);
                return new Decision(Outcome.Failed, "release_unreadable", error.Message);
            }
        }
    }

    private async Task<Decision?> CheckAndActAsync(Release release, Notification notification, CancellationToken cancellation)
    {
        var (plan, refusal) = await conditions.CheckAsync(release, notification, cancellation);
        if (plan is null)
        {
            logger.Refused(refusal!.Reason, refusal.Detail);
            return refusal;
        }
        release = await record.WriteAsync(release, plan, cancellation); // the lock: who read the same record can't write it any more
        logger.RollingBack(plan.From, plan.FromVersion, plan.To, plan.ToVersion, plan.Alert);
        return await CarryOutAsync(release, plan, "rolled_back", cancellation);
    }

    /// <returns>Null when what had begun is no longer to be done.</returns>
    private async Task<Decision?> GoOnAsync(Release release, CancellationToken cancellation)
    {
        var plan = release.RollingBack!;
        if (!plan.IsStillFor(release))
        {
            logger.Dropped();
            await record.DropAsync(release, cancellation);
            return null;
        }
        logger.GoingOn(plan.From, plan.To, plan.StartedAt);
        return await CarryOutAsync(release, plan, "completed", cancellation);
    }

    private async Task<Decision> CarryOutAsync(Release release, Plan plan, string done, CancellationToken cancellation)
    {
        if (!await steps.RunAsync(release, cancellation))
            return new Decision(Outcome.NotReady, "previous_never_ready", $"{plan.To} did not get ready with {plan.Replicas} pods in time; nothing was switched.");
        logger.RolledBack(plan.To, plan.ToVersion);
        return new Decision(Outcome.RolledBack, done, $"{plan.Alert}: from {plan.From} ({plan.FromVersion}) to {plan.To} ({plan.ToVersion}).");
    }
}
