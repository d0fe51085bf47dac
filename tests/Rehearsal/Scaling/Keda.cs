namespace Millrace.Rehearsal.Scaling;

/// <summary>What KEDA decides itself: from none to the first, and from any number to none; and what it tells the HPA while a queue can't be read.</summary>
public sealed class Keda(ScaledObject target)
{
    private readonly int[] _failures = new int[target.Triggers.Count];

    /// <summary>When a poll last found the target active; null before the first time.</summary>
    public TimeSpan? LastActive { get; private set; }

    /// <summary>One poll.</summary>
    /// <param name="readings">One for each trigger, in order; null where it could not be read.</param>
    /// <returns>How many there should be.</returns>
    public int Decide(TimeSpan now, int current, IReadOnlyList<double?> readings)
    {
        if (target.Triggers.Zip(readings).Any(t => t.Second > t.First.ActivationValue))
        {
            LastActive = now;
            return current > 0 ? current : Math.Max(1, target.MinReplicas);
        }
        if (readings.Any(r => r is null))
            return current; // who can't see the queue neither wakes nor sends to sleep
        if (current > 0 && target.MinReplicas == 0)
            return LastActive is { } last && now - last <= target.CooldownPeriod ? current : 0;
        return Math.Max(current, target.MinReplicas);
    }

    /// <summary>What the HPA is told when it asks: the readings, or what the fallback puts in their place.</summary>
    public IReadOnlyList<double?> Metrics(int current, IReadOnlyList<double?> readings) => readings.Select((reading, at) =>
    {
        _failures[at] = reading is null ? _failures[at] + 1 : 0;
        return reading ?? (target.Fallback is { } fallback && _failures[at] > fallback.FailureThreshold ? target.Triggers[at].Value * Replicas(fallback, current) : null);
    }).ToArray();

    private static int Replicas(Fallback fallback, int current) => fallback.Behavior switch
    {
        FallbackBehavior.CurrentReplicas => current,
        FallbackBehavior.CurrentReplicasIfHigher => Math.Max(current, fallback.Replicas),
        FallbackBehavior.CurrentReplicasIfLower => Math.Min(current, fallback.Replicas),
        _ => fallback.Replicas,
    };
}
