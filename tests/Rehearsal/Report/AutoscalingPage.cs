using System.Globalization;
using System.Text;
using Millrace.Rehearsal.Run;
using Millrace.Rehearsal.Scaling;

namespace Millrace.Rehearsal.Report;

/// <summary>The generated part of docs/autoscaling.md.</summary>
internal static class AutoscalingPage
{
    public static string Text(Outcome run, IReadOnlyList<Finding> findings)
    {
        var text = new StringBuilder();
        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
        var (rendered, hurried) = (run.Rendered, run.Hurried);
        Line($"{TimeProvider.System.GetUtcNow():yyyy-MM-dd}, .NET {Environment.Version}, {Environment.ProcessorCount} cores shared by all processes. Periods divided by **{run.Plan.Factor}**, none below {run.Plan.Floor.TotalSeconds} s.");
        Line($"");
        Line($"| | Rendered | Rehearsed |");
        Line($"|---|--:|--:|");
        foreach (var trigger in rendered.Triggers)
            Line($"| `{trigger.Queue}`: messages for each replica | {trigger.Value} | the same |");
        Line($"| Replicas, least to most | {rendered.MinReplicas} to {rendered.MaxReplicas} | the same |");
        Line($"| `pollingInterval` | {rendered.PollingInterval.TotalSeconds} s | {hurried.PollingInterval.TotalSeconds} s |");
        Line($"| How often the HPA asks | {rendered.SyncPeriod.TotalSeconds} s | {hurried.SyncPeriod.TotalSeconds} s |");
        Line($"| `cooldownPeriod` | {rendered.CooldownPeriod.TotalSeconds} s | {hurried.CooldownPeriod.TotalSeconds} s |");
        Line($"| Window downwards | {rendered.ScaleDown.Window.TotalSeconds} s | {hurried.ScaleDown.Window.TotalSeconds} s |");
        Line($"| Policies upwards | {Rules(rendered.ScaleUp)} | {Rules(hurried.ScaleUp)} |");
        Line($"| Policies downwards | {Rules(rendered.ScaleDown)} | {Rules(hurried.ScaleDown)} |");
        Line($"| `terminationGracePeriodSeconds` | {run.Grace.TotalSeconds} s | the same |");
        Line($"");
        Line($"| Figure | |");
        Line($"|---|--:|");
        Line($"| Jobs; synchronous requests | {run.Counts.Accepted:N0}; {run.Calls.Count:N0} |");
        Line($"| Time of a run, median and P95 | {1000 * Statistics.Percentile(run.ServiceTimes.Select(s => s.TotalSeconds), 0.5):0} ms and {1000 * Statistics.Percentile(run.ServiceTimes.Select(s => s.TotalSeconds), 0.95):0} ms |");
        Line($"| Most messages that the broker told | {run.Samples.Max(s => s.Queues.Max(q => q?.Messages ?? 0))} |");
        Line($"| Most jobs in the store | {run.Samples.Max(s => s.Jobs)} |");
        Line($"| Most replicas | {run.Decisions.Max(d => d.To)} |");
        Line($"| From the burst to the most replicas | {(run.Decisions.First(d => d.To == run.Decisions.Max(m => m.To)).At - Phase(run, "burst")).TotalSeconds:0.0} s |");
        Line($"| From the burst to an empty store | {(run.Samples.First(s => s.At > Phase(run, "burst") + TimeSpan.FromSeconds(5) && s.Jobs <= 2).At - Phase(run, "burst")).TotalSeconds:0} s |");
        Line($"| From the load's end to zero workers | {(run.ZeroAt - Phase(run, "stop")).TotalSeconds:0} s |");
        Line($"| Synchronous requests, P50 and P95 (the first one apart) | {Percentile(run, 0.5):0} ms and {Percentile(run, 0.95):0} ms |");
        Line($"| A job's wait for its start, P50 and P95 | {Wait(run, 0.5):0.0} s and {Wait(run, 0.95):0.0} s |");
        Line($"");
        Line($"| Must hold | |");
        Line($"|---|---|");
        foreach (var finding in findings)
            Line($"| {finding.What} | {(finding.Holds ? "held" : "**did not hold**")} |");
        return text.ToString();
    }

    private static double Percentile(Outcome run, double share) => 1000 * Statistics.Percentile(run.Calls.Skip(1).Select(c => c.Took.TotalSeconds), share);

    private static double Wait(Outcome run, double share) => Statistics.Percentile(run.Queued.Select(q => q.Waited.TotalSeconds), share);

    private static TimeSpan Phase(Outcome run, string name) => run.Phases.First(p => p.Name == name).At;

    private static string Rules(ScalingRules rules) => rules.Choice == PolicyChoice.Disabled ? "none" : string.Join(rules.Choice == PolicyChoice.Min ? " and " : " or ",
        rules.Policies.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Value}{(p.Unit == PolicyUnit.Percent ? " %" : "")} in {p.Period.TotalSeconds} s")));
}
