using Millrace.Rollback.Kubernetes;

namespace Millrace.Rollback.Releases;

/// <summary>A rollback from its written plan to its end. Each step may be done again, so after a crash all are.</summary>
internal sealed class RollbackSteps(ReleaseRecord record, Slots slots, RollbackOptions options, TimeProvider time, ILogger<RollbackSteps> logger)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <returns>False when the previous slot did not get ready in time: then nothing was switched, and the lock is given back.</returns>
    /// <exception cref="KubernetesException">The API server did not go along. The plan stays written, and is carried out later.</exception>
    public async Task<bool> RunAsync(Release release, CancellationToken cancellation)
    {
        var plan = release.RollingBack!;
        var (good, bad) = (options.Deployment(plan.To), options.Deployment(plan.From));

        logger.Step("scale up the previous slot");
        if ((await slots.ReadAsync(good, cancellation)).Wanted < plan.Replicas) // after a crash its autoscaler may have made it larger
            await slots.ScaleAsync(good, plan.Replicas, cancellation);

        if (!plan.Switching)
        {
            logger.Step("wait until it is ready");
            if (!await ReadyAsync(good, plan.Replicas, cancellation))
            {
                await GiveUpAsync(release, plan, good, cancellation);
                return false;
            }
            release = await record.WriteAsync(release, plan with { Switching = true }, cancellation); // either this or giving up, not both
        }

        logger.Step("switch the Service");
        await slots.SwitchServiceAsync(plan.To, cancellation);

        logger.Step("switch the autoscaler");
        await slots.SwitchHpaAsync(plan.To, cancellation);

        foreach (var (worker, replicas) in plan.Workers)
        {
            logger.Step($"switch {worker}");
            await SwitchWorkerAsync(worker, replicas, plan, cancellation);
        }

        logger.Step("scale down the bad slot");
        await slots.ScaleAsync(bad, 1, cancellation);

        await slots.TellAsync(EventName(plan, "done"), "RolledBack", $"{plan.Alert}: rolled back from {plan.From} ({plan.FromVersion}) to {plan.To} ({plan.ToVersion})", plan.StartedAt, cancellation);
        await record.FinishAsync(release, plan, time.GetUtcNow(), cancellation); // last, for it ends the lock
        return true;
    }

    /// <summary>The good version consumes before the bad one stops, so that synchronous calls find a worker all the time.</summary>
    private async Task SwitchWorkerAsync(string worker, int replicas, Plan plan, CancellationToken cancellation)
    {
        var (good, bad) = ($"{worker}-{plan.To}", $"{worker}-{plan.From}");
        if ((await slots.ReadAsync(good, cancellation)).Wanted < replicas)
            await slots.ScaleAsync(good, replicas, cancellation);
        await slots.SetStandbyAsync(good, standby: false, cancellation);
        if (!await ReadyAsync(good, 1, cancellation))
            logger.WorkersLate(good, options.ReadyTimeout); // the traffic has moved; waiting jobs are better than bad ones
        await slots.SwitchScaledObjectAsync(worker, plan.To, cancellation);
        await slots.SetStandbyAsync(bad, standby: true, cancellation);
        await slots.ScaleAsync(bad, 1, cancellation);
    }

    private async Task GiveUpAsync(Release release, Plan plan, string good, CancellationToken cancellation)
    {
        logger.NeverReady(good, plan.Replicas, options.ReadyTimeout);
        await slots.ScaleAsync(good, plan.Before, cancellation);
        await slots.TellAsync(EventName(plan, "not-ready"), "RollbackFailed",
            $"{plan.Alert}: {good} was not ready with {plan.Replicas} pods within {options.ReadyTimeout}; nothing was switched", plan.StartedAt, cancellation);
        await record.DropAsync(release, cancellation);
    }

    private async Task<bool> ReadyAsync(string deployment, int pods, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        while ((await slots.ReadAsync(deployment, cancellation)).Ready < pods)
        {
            if (time.GetElapsedTime(began) > options.ReadyTimeout)
                return false;
            await Task.Delay(Pause, time, cancellation);
        }
        return true;
    }

    private string EventName(Plan plan, string what) => $"{options.ConfigMap}.{plan.StartedAt.ToUnixTimeMilliseconds():x}.{what}";
}
