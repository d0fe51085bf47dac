using System.Globalization;
using Millrace.Rehearsal.Chart;
using Millrace.Rehearsal.Report;
using Millrace.Rehearsal.Scaling;
using Millrace.Tests.Support;

namespace Millrace.Rehearsal.Run;

/// <summary><c>autoscale [--factor 10]</c>: the whole rehearsal, and its page.</summary>
internal static class Autoscale
{
    private const string Group = "sleep";

    public static async Task<int> RunAsync(string[] args)
    {
        var plan = args is ["--factor", var factor] ? Plan.Full with { Factor = double.Parse(factor, CultureInfo.InvariantCulture) } : Plan.Full;
        var (manifest, rendered) = await RenderAsync();
        Outcome outcome;
        await using (var stage = await Stage.OpenAsync("rehearsal", manifest, rendered.Select(r => r.Hurried(plan.Factor, plan.Floor)).ToArray(), Models))
            outcome = await PlayAsync(stage, plan, manifest, rendered);
        var findings = Verdict.Of(outcome);
        foreach (var finding in findings)
            Console.WriteLine($"   {(finding.Holds ? "ok" : "NOT OK")}: {finding.What}");
        var held = findings.All(f => f.Holds);
        if (held)
        {
            await File.WriteAllTextAsync(Path.Combine(Repository.Root, "docs", "autoscaling.svg"), Picture.Draw(outcome));
            Page.Write("autoscaling.md", AutoscalingPage.Text(outcome, findings));
        }
        Console.WriteLine(held ? "all held; docs/autoscaling.md and docs/autoscaling.svg are written" : "FAILED");
        return held ? 0 : 1;
    }

    public static string[] Models { get; } = [Path.Combine(Repository.TestModels, "sleep"), Path.Combine(Repository.Models, "digits")];

    public static async Task<(Manifest, IReadOnlyList<ScaledObject>)> RenderAsync()
    {
        var manifest = await Helm.RenderAsync("tests/Rehearsal/values.yaml");
        return (manifest, ScaledObjects.Of(manifest));
    }

    public static Task<Outcome> PlayAsync(Stage stage, Plan plan, Manifest manifest, IReadOnlyList<ScaledObject> rendered)
    {
        var loaded = rendered.Single(r => r.Triggers.Any(t => t.Queue.EndsWith($".{Group}", StringComparison.Ordinal)));
        return Rehearsal.RunAsync(stage, plan, loaded, Group, PodTemplate.Of(manifest, loaded.Target).Grace);
    }
}
