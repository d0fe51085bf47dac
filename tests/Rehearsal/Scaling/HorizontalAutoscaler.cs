namespace Millrace.Rehearsal.Scaling;

/// <summary>What the HPA that KEDA makes decides from one to the most: proposals, then the windows, then the policies. Time is what the caller says it is.</summary>
public sealed class HorizontalAutoscaler(ScaledObject target)
{
    private readonly List<(TimeSpan At, int Replicas)> _proposals = [];
    private readonly List<(TimeSpan At, int Change)> _changes = [];

    /// <summary>The last proposal, before windows and policies; null when there was none.</summary>
    public int? Proposal { get; private set; }

    /// <param name="metrics">One for each trigger, in order; null where it could not be read.</param>
    /// <returns>How many there should be.</returns>
    public int Decide(TimeSpan now, int current, IReadOnlyList<double?> metrics)
    {
        Proposal = null;
        if (current == 0)
            return 0; // switched off (ScalingDisabled): only KEDA wakes a target
        if (_proposals.Count == 0)
            _proposals.Add((now, current));
        var least = Math.Max(1, target.MinReplicas);
        if (current > target.MaxReplicas || current < least)
            return Change(now, current, Math.Clamp(current, least, target.MaxReplicas));
        if (Propose(current, metrics) is not { } proposal)
            return current;
        Proposal = proposal;
        return Change(now, current, Limit(now, current, Stabilize(now, current, proposal), least));
    }

    /// <summary>The largest of the triggers'. While one can't be read, the others may ask for more, but not for less.</summary>
    private int? Propose(int current, IReadOnlyList<double?> metrics)
    {
        var known = target.Triggers.Zip(metrics).Where(t => t.Second is not null).Select(t => Replicas.Propose(t.Second!.Value, t.First.Value, current)).ToArray();
        if (known.Length == 0 || (known.Length < target.Triggers.Count && known.Max() < current))
            return null;
        return known.Max();
    }

    /// <summary>Up to the smallest and down to the largest proposal of the direction's window.</summary>
    private int Stabilize(TimeSpan now, int current, int proposal)
    {
        _proposals.RemoveAll(p => p.At <= now - target.ScaleUp.Window && p.At <= now - target.ScaleDown.Window);
        var up = _proposals.Where(p => p.At > now - target.ScaleUp.Window).Select(p => p.Replicas).Append(proposal).Min();
        var down = _proposals.Where(p => p.At > now - target.ScaleDown.Window).Select(p => p.Replicas).Append(proposal).Max();
        _proposals.Add((now, proposal));
        return Math.Min(Math.Max(current, up), down);
    }

    /// <summary>No further than the policies allow after the changes of their periods, and never past least and most.</summary>
    private int Limit(TimeSpan now, int current, int wanted, int least)
    {
        if (wanted > current)
            return Math.Min(wanted, Math.Min(target.MaxReplicas, Math.Max(current, Furthest(now, current, target.ScaleUp, up: true))));
        return wanted < current ? Math.Max(wanted, Math.Max(least, Math.Min(current, Furthest(now, current, target.ScaleDown, up: false)))) : wanted;
    }

    private int Furthest(TimeSpan now, int current, ScalingRules rules, bool up)
    {
        if (rules.Choice == PolicyChoice.Disabled)
            return current;
        var ends = rules.Policies.Select(policy =>
        {
            var began = current - _changes.Where(c => c.At > now - policy.Period).Sum(c => c.Change);
            var by = up ? policy.Value : -policy.Value;
            var end = policy.Unit == PolicyUnit.Pods ? began + by : began * (1 + (by / 100.0));
            return (int)(up ? Math.Ceiling(end) : end); // a part of a replica counts as one that may be there, either way
        }).ToArray();
        return up == (rules.Choice == PolicyChoice.Max) ? ends.Max() : ends.Min();
    }

    private int Change(TimeSpan now, int current, int decided)
    {
        var longest = target.ScaleUp.Policies.Concat(target.ScaleDown.Policies).Select(p => p.Period).DefaultIfEmpty().Max();
        _changes.RemoveAll(c => c.At <= now - longest);
        if (decided != current)
            _changes.Add((now, decided - current));
        return decided;
    }
}
