using Millrace.Rollback.Alerts;

namespace Millrace.Rollback.Releases;

/// <summary>When an alert is reason enough. In this order; the first that does not hold is the answer.</summary>
internal sealed class Conditions(Slots slots, RollbackOptions options, TimeProvider time)
{
    /// <returns>A plan to carry out, or why not.</returns>
    public async Task<(Plan? Plan, Decision? Refusal)> CheckAsync(Release release, Notification notification, CancellationToken cancellation)
    {
        var alerts = notification.Alerts.Where(a => a.Status == "firing").ToArray();
        if (alerts.Length == 0)
            return Refused("not_firing", "No alert of the notification is firing.");
        alerts = alerts.Where(a => a.Label("action") == "rollback").ToArray();
        if (alerts.Length == 0)
            return Refused("not_for_rollback", "No firing alert has the label action=rollback.");
        var active = release.Version(release.Active);
        if (alerts.FirstOrDefault(a => a.Label("version") is { Length: > 0 } version && version == active) is not { } alert) // a late alert must not undo the good one
            return Refused("version_not_active", $"The alerts are about {string.Join(", ", alerts.Select(a => $"'{a.Label("version")}'").Distinct())}; '{active}' is active.");
        if (release.LastRollback is { } last && time.GetUtcNow() - last is var since && since <= options.Cooldown)
            return Refused("cooling_down", $"The last rollback was {since:hh\\:mm\\:ss} ago; there is none within {options.Cooldown}.");
        if (release.Previous.Length == 0 || release.Previous == release.Active)
            return Refused("no_previous", "There is no previous slot.");
        var previous = await slots.ReadAsync(options.Deployment(release.Previous), cancellation);
        if (previous.Ready == 0)
            return Refused("previous_not_ready", $"{options.Deployment(release.Previous)} has no ready pod.");
        return (await PlanAsync(release, alert, previous, cancellation), null);
    }

    private async Task<Plan> PlanAsync(Release release, Alert alert, Pods previous, CancellationToken cancellation)
    {
        var workers = new Dictionary<string, int>();
        foreach (var worker in options.WorkerNames)
            workers[worker] = Math.Max(1, (await slots.ReadAsync($"{worker}-{release.Active}", cancellation)).Wanted);
        return new Plan
        {
            From = release.Active,
            To = release.Previous,
            FromVersion = release.Version(release.Active),
            ToVersion = release.Version(release.Previous),
            Replicas = Math.Max(1, (await slots.ReadAsync(options.Deployment(release.Active), cancellation)).Wanted),
            Before = previous.Wanted,
            Workers = workers,
            Alert = alert.Label("alertname"),
            StartedAt = time.GetUtcNow(),
        };
    }

    private static (Plan?, Decision) Refused(string reason, string detail) => (null, new Decision(Outcome.Refused, reason, detail));
}

/// <summary>What came of a notification.</summary>
/// <param name="Reason">One of a fixed list of words.</param>
internal sealed record Decision(Outcome Outcome, string Reason, string Detail);
