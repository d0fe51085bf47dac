using Millrace.Rehearsal.Scaling;

namespace Millrace.Rehearsal.Tests.Scaling;

/// <summary>Targets for hand-computed cases.</summary>
internal static class Cases
{
    public static TimeSpan S(double seconds) => TimeSpan.FromSeconds(seconds);

    /// <summary>Jobs at 20 for each replica, packs at 5, none to six, with the defaults of KEDA and Kubernetes.</summary>
    public static ScaledObject Target { get; } = new("millrace-worker-digits", "millrace-worker-digits", 0, 6, S(30), S(300), null, ScalingRules.UpByDefault, ScalingRules.DownByDefault,
        [new Trigger("/", "jobs.digits", 20, 0, ReadyOnly: false), new Trigger("/", "infer.digits", 5, 0, ReadyOnly: false)]);

    public static ScaledObject OneTrigger { get; } = Target with { Triggers = [Target.Triggers[0]] };

    public static ScalingRules AtOnce { get; } = new(TimeSpan.Zero, PolicyChoice.Max, [new ScalingPolicy(PolicyUnit.Percent, 100, S(15))]);
}
