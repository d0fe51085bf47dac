using System.Text.Json.Nodes;
using Millrace.Rollback.Kubernetes;

namespace Millrace.Rollback.Releases;

/// <summary>What there is of each slot, and what says which one is used.</summary>
internal sealed class Slots(KubernetesApi api, RollbackOptions options)
{
    public static readonly IReadOnlyList<string> All = ["blue", "green"];

    /// <summary>On a worker's container: it announces and consumes nothing.</summary>
    private const string Standby = "MILLRACE__WORKER__STANDBY";

    public static string MustBe(string slot) => All.Contains(slot) ? slot : throw new FormatException($"'{slot}' is no slot; there are {string.Join(" and ", All)}.");

    public async Task<Pods> ReadAsync(string deployment, CancellationToken cancellation) => Pods.From(await api.GetAsync(Deployment(deployment), cancellation));

    public Task ScaleAsync(string deployment, int replicas, CancellationToken cancellation) =>
        api.MergeAsync($"{Deployment(deployment)}/scale", new JsonObject { ["spec"] = new JsonObject { ["replicas"] = replicas } }, cancellation);

    public Task SwitchServiceAsync(string slot, CancellationToken cancellation) =>
        api.MergeAsync($"/api/v1/namespaces/{options.Namespace}/services/{options.Service}", Spec(new JsonObject { ["selector"] = new JsonObject { ["millrace/slot"] = slot } }), cancellation);

    public Task SwitchHpaAsync(string slot, CancellationToken cancellation) => options.Hpa.Length == 0 ? Task.CompletedTask : api.MergeAsync(
        $"/apis/autoscaling/v2/namespaces/{options.Namespace}/horizontalpodautoscalers/{options.Hpa}", Target(options.Deployment(slot)), cancellation);

    public Task SwitchScaledObjectAsync(string worker, string slot, CancellationToken cancellation) =>
        api.MergeAsync($"/apis/keda.sh/v1alpha1/namespaces/{options.Namespace}/scaledobjects/{worker}", Target($"{worker}-{slot}"), cancellation);

    /// <summary>Changes the pod template, so that pods are replaced; nothing happens where it is so already.</summary>
    public async Task SetStandbyAsync(string deployment, bool standby, CancellationToken cancellation)
    {
        var containers = (await api.GetAsync(Deployment(deployment), cancellation))["spec"]!["template"]!["spec"]!["containers"]!.AsArray();
        var container = (string)(containers.FirstOrDefault(c => c!["env"] is JsonArray env && env.Any(e => (string?)e!["name"] == Standby)) ?? containers[0])!["name"]!;
        var change = new JsonObject { ["name"] = container, ["env"] = new JsonArray(new JsonObject { ["name"] = Standby, ["value"] = standby ? "true" : "false" }) };
        await api.MergeListsAsync(Deployment(deployment), Spec(new JsonObject { ["template"] = Spec(new JsonObject { ["containers"] = new JsonArray(change) }) }), cancellation);
    }

    /// <summary>For people: kubectl describe, kubectl get events. Made twice under one name, it is there once.</summary>
    public async Task TellAsync(string name, string reason, string message, DateTimeOffset at, CancellationToken cancellation)
    {
        var time = at.ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);
        try
        {
            await api.CreateAsync($"/api/v1/namespaces/{options.Namespace}/events", new JsonObject
            {
                ["apiVersion"] = "v1",
                ["kind"] = "Event",
                ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = options.Namespace },
                ["involvedObject"] = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "ConfigMap", ["name"] = options.ConfigMap, ["namespace"] = options.Namespace },
                ["reason"] = reason,
                ["message"] = message,
                ["type"] = "Warning",
                ["source"] = new JsonObject { ["component"] = "millrace-rollback" },
                ["firstTimestamp"] = time,
                ["lastTimestamp"] = time,
                ["count"] = 1,
            }, cancellation);
        }
        catch (KubernetesException error) when (error.IsConflict) { } // told before a crash
    }

    private string Deployment(string name) => $"/apis/apps/v1/namespaces/{options.Namespace}/deployments/{name}";

    private static JsonObject Spec(JsonObject content) => new() { ["spec"] = content };

    private static JsonObject Target(string deployment) => Spec(new JsonObject { ["scaleTargetRef"] = new JsonObject { ["name"] = deployment } });
}

/// <summary>What a Deployment wants and has.</summary>
/// <param name="Ready">Of the present template alone; 0 as long as its controller has not seen the last change.</param>
internal sealed record Pods(int Wanted, int Ready)
{
    public static Pods From(JsonObject deployment)
    {
        int Count(string name) => (int?)deployment["status"]?[name] ?? 0;
        var seen = ((long?)deployment["status"]?["observedGeneration"] ?? 0) >= ((long?)deployment["metadata"]?["generation"] ?? 0);
        return new Pods((int?)deployment["spec"]?["replicas"] ?? 1, seen ? Math.Min(Count("readyReplicas"), Count("updatedReplicas")) : 0);
    }
}
