namespace Millrace.Rehearsal.Chart;

/// <summary>How the pods of a rendered Deployment are started, and how long they may take to leave.</summary>
/// <param name="Environment">What is written there; values from Secrets are not.</param>
public sealed record PodTemplate(IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Environment, TimeSpan Grace)
{
    public static PodTemplate Of(Manifest manifest, string deployment)
    {
        var found = manifest.OfKind("Deployment").SingleOrDefault(d => d["metadata"].Text("name") == deployment)
            ?? throw new InvalidDataException($"The chart has no Deployment {deployment}.");
        if (found["spec"]["replicas"].IsThere)
            throw new InvalidDataException($"{deployment} sets replicas, so each upgrade would undo what scaling did.");
        var pod = found["spec"]["template"]["spec"];
        var container = pod["containers"].List.Single();
        return new PodTemplate(container["args"].List.Select(a => a.Text()).ToArray(),
            container["env"].List.Where(e => e["value"].IsThere).ToDictionary(e => e.Text("name"), e => e.Text("value")), pod.Seconds("terminationGracePeriodSeconds", TimeSpan.FromSeconds(30)));
    }
}
