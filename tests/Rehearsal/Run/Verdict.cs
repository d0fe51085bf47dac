using System.Globalization;
using System.Net;
using Millrace.Rehearsal.Scaling;

namespace Millrace.Rehearsal.Run;

/// <summary>What must have held, each as a line with its figures.</summary>
internal sealed record Finding(bool Holds, string What);

internal static class Verdict
{
    /// <summary>A reading may be this old: the queue's own statistics, and then the management's.</summary>
    private static readonly TimeSpan OldestReading = TimeSpan.FromSeconds(10);

    public static IReadOnlyList<Finding> Of(Outcome run) => [.. Waking(run), .. Growing(run), .. Shrinking(run), .. Work(run)];

    private static IEnumerable<Finding> Waking(Outcome run)
    {
        var first = run.Calls[0];
        var early = run.Decisions.Where(d => d.At < first.At && d.To > 0).ToArray();
        yield return Must(early.Length == 0, $"no worker was started while nothing was asked for ({first.At.TotalSeconds:0.0} s)");
        var woke = run.Decisions.FirstOrDefault(d => d.From == 0 && d.To > 0);
        var bound = run.Hurried.PollingInterval + OldestReading;
        yield return Must(woke is { Loop: "poll" } && woke.At - first.At <= bound && woke.To == Math.Max(1, run.Hurried.MinReplicas),
            $"0 to 1 by a poll, {(woke is null ? double.NaN : (woke.At - first.At).TotalSeconds):0.0} s after the first request (at most {run.Hurried.PollingInterval.TotalSeconds:0} s of polling and {OldestReading.TotalSeconds:0} s of statistics)");
        yield return Must(first.Status == HttpStatusCode.OK && first.Took < Crowd.Deadline,
            $"the first synchronous request, sent at zero workers, got {(int)first.Status} after {first.Took.TotalSeconds:0.0} s (deadline {Crowd.Deadline.TotalSeconds:0} s)");
        yield return Must(run.Calls.All(c => c.Status == HttpStatusCode.OK), $"{run.Calls.Count(c => c.Status == HttpStatusCode.OK)} of {run.Calls.Count} synchronous requests got 200");
        yield return Must(run.Counts.IdleStarts == 0, $"{run.Counts.IdleStarts} workers were started in the groups that got no load");
    }

    private static IEnumerable<Finding> Growing(Outcome run)
    {
        var target = run.Hurried;
        var asked = run.Decisions.Where(d => d.Loop == "sync").SelectMany(d => target.Triggers.Zip(d.Readings, (t, r) => r / t.Value)).Max() ?? 0;
        var expected = Math.Min(target.MaxReplicas, (int)Math.Ceiling(asked));
        var peak = run.Decisions.Max(d => d.To);
        yield return Must(peak == expected, $"at most {peak} replicas: min(max {target.MaxReplicas}, ceil({asked:0.#})) = {expected}");
    }

    private static IEnumerable<Finding> Shrinking(Outcome run)
    {
        var target = run.Hurried;
        var syncs = run.Decisions.Where(d => d.Loop == "sync").ToArray();
        var downs = syncs.Where(d => d.To < d.From).ToArray();
        var early = downs.Where(d => syncs.Any(s => s.At <= d.At && s.At > d.At - target.ScaleDown.Window && s.Proposal > d.To)).ToArray();
        yield return Must(early.Length == 0, $"steps down to 1 or more: {downs.Length}, by {string.Join(", ", downs.Select(d => $"{d.From} to {d.To}"))}; while the window of {target.ScaleDown.Window.TotalSeconds:0} s held a higher proposal: {early.Length}");
        var policy = target.ScaleDown.Policies[0];
        var wide = policy.Unit == PolicyUnit.Pods && target.ScaleDown.Policies.Count == 1 ? downs.Count(d => downs.Where(e => e.At <= d.At && e.At > d.At - policy.Period).Sum(e => e.From - e.To) > policy.Value) : 0;
        yield return Must(wide == 0, $"steps down by more than the policy allows in its period: {wide}");
        var slept = run.Decisions.Where(d => d.To == 0 && d.From > 0).Select(d => (d.Loop, Idle: d.At - LastActive(run, d.At))).ToArray();
        yield return Must(slept.Length > 0 && slept.All(s => s.Loop == "poll" && s.Idle > target.CooldownPeriod) && run.Decisions[^1].To == 0,
            $"to 0 by a poll, {string.Join(" and ", slept.Select(s => s.Idle.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)))} s after the last active one (cooldown {target.CooldownPeriod.TotalSeconds:0} s)");
        yield return Must(run.Counts.Kills == 0, $"{run.Counts.Kills} workers needed SIGKILL after {run.Grace.TotalSeconds:0} s; the slowest of {run.Drains.Count} left in {run.Drains.DefaultIfEmpty().Max().TotalSeconds:0.0} s");
        yield return Must(run.Counts.Deaths == 0, $"{run.Counts.Deaths} workers of {run.Started} ended by themselves or badly");
    }

    private static TimeSpan LastActive(Outcome run, TimeSpan before) => run.Decisions
        .Where(d => d.Loop == "poll" && d.At < before && run.Hurried.Triggers.Zip(d.Readings).Any(t => t.Second > t.First.ActivationValue)).Select(d => d.At).LastOrDefault();

    private static IEnumerable<Finding> Work(Outcome run)
    {
        var counts = run.Counts;
        yield return Must(counts.Refused == 0, $"{counts.Accepted} jobs accepted, {counts.Refused} refused");
        yield return Must(counts.Accepted == counts.Succeeded && counts.Stored == counts.Accepted && counts.OtherEnds == 0, $"{counts.Succeeded} succeeded in the database, {counts.OtherEnds} ended otherwise or not at all");
        yield return Must(counts.DoubleResults == 0 && counts.RunTwice == 0 && counts.Retried == 0, $"{counts.DoubleResults} with two results, {counts.RunTwice} run twice, {counts.Retried} with a second attempt");
        yield return Must(counts.Left == 0 && counts.LeftUnacknowledged == 0, $"{counts.Left} messages left in the broker, {counts.LeftUnacknowledged} unacknowledged");
    }

    private static Finding Must(bool holds, FormattableString what) => new(holds, what.ToString(CultureInfo.InvariantCulture));
}
