namespace Millrace.Rehearsal.Scaling;

/// <summary>What KEDA is told of one Deployment: of a rendered ScaledObject, the part that decides.</summary>
/// <param name="Target">The Deployment's name.</param>
public sealed record ScaledObject(
    string Name, string Target, int MinReplicas, int MaxReplicas, TimeSpan PollingInterval, TimeSpan CooldownPeriod, Fallback? Fallback,
    ScalingRules ScaleUp, ScalingRules ScaleDown, IReadOnlyList<Trigger> Triggers)
{
    /// <summary>How often the HPA asks: the controller manager's default, which no object can change.</summary>
    public TimeSpan SyncPeriod { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The same with every period divided, but none below the floor: what reads the queues is not faster than the broker's statistics.</summary>
    public ScaledObject Hurried(double factor, TimeSpan floor)
    {
        TimeSpan Shorter(TimeSpan period) => period == TimeSpan.Zero ? period : Max(period / factor, Min(period, floor));
        ScalingRules ShorterRules(ScalingRules rules) =>
            rules with { Window = Shorter(rules.Window), Policies = rules.Policies.Select(p => p with { Period = Shorter(p.Period) }).ToArray() };
        return this with
        {
            PollingInterval = Shorter(PollingInterval),
            CooldownPeriod = Shorter(CooldownPeriod),
            SyncPeriod = Shorter(SyncPeriod),
            ScaleUp = ShorterRules(ScaleUp),
            ScaleDown = ShorterRules(ScaleDown),
        };
    }

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;
}

/// <summary>A queue that is looked at.</summary>
/// <param name="VirtualHost">Where it is in the broker.</param>
/// <param name="Value">Messages for each replica.</param>
/// <param name="ActivationValue">More than these wake a target that has no replicas.</param>
/// <param name="ReadyOnly">Leaves out what consumers hold unacknowledged.</param>
public sealed record Trigger(string VirtualHost, string Queue, double Value, double ActivationValue, bool ReadyOnly);

/// <summary>What counts while a queue can't be read.</summary>
/// <param name="FailureThreshold">More failures in a row than these.</param>
public sealed record Fallback(int FailureThreshold, int Replicas, FallbackBehavior Behavior);

public enum FallbackBehavior
{
    Static,
    CurrentReplicas,
    CurrentReplicasIfHigher,
    CurrentReplicasIfLower,
}

/// <summary>How fast the HPA goes in one direction.</summary>
public sealed record ScalingRules(TimeSpan Window, PolicyChoice Choice, IReadOnlyList<ScalingPolicy> Policies)
{
    /// <summary>At once, to twice as many or by four, whichever is more.</summary>
    public static ScalingRules UpByDefault { get; } = new(TimeSpan.Zero, PolicyChoice.Max,
        [new ScalingPolicy(PolicyUnit.Pods, 4, TimeSpan.FromSeconds(15)), new ScalingPolicy(PolicyUnit.Percent, 100, TimeSpan.FromSeconds(15))]);

    /// <summary>To what was asked for in none of the last five minutes, in one step.</summary>
    public static ScalingRules DownByDefault { get; } = new(TimeSpan.FromMinutes(5), PolicyChoice.Max, [new ScalingPolicy(PolicyUnit.Percent, 100, TimeSpan.FromSeconds(15))]);
}

/// <summary>The most that may change within a period.</summary>
public sealed record ScalingPolicy(PolicyUnit Unit, int Value, TimeSpan Period);

public enum PolicyUnit
{
    Pods,
    Percent,
}

/// <summary>Which of several policies counts: the one that changes most, the one that changes least, or none at all.</summary>
public enum PolicyChoice
{
    Max,
    Min,
    Disabled,
}
