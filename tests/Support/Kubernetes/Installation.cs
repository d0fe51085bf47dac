using System.Text.Json;
using System.Text.Json.Nodes;

namespace Millrace.Tests.Support.Kubernetes;

/// <summary>What the chart installs, as far as a rollback touches it: two slots of the API and of one worker, Service, autoscalers, record, and the Role of the rollback service.</summary>
public static class Installation
{
    public const string Namespace = "millrace";
    public const string Worker = "millrace-worker-digits";
    public const string Service = $"/api/v1/namespaces/{Namespace}/services/millrace-api";
    public const string Hpa = $"/apis/autoscaling/v2/namespaces/{Namespace}/horizontalpodautoscalers/millrace-api";
    public const string Record = $"/api/v1/namespaces/{Namespace}/configmaps/millrace-release";
    public const string Events = $"/api/v1/namespaces/{Namespace}/events";
    public const string ScaledObject = $"/apis/keda.sh/v1alpha1/namespaces/{Namespace}/scaledobjects/{Worker}";

    public static string Deployment(string name) => $"/apis/apps/v1/namespaces/{Namespace}/deployments/{name}";

    public static string Api(string slot) => Deployment($"millrace-api-{slot}");

    public static string Workers(string slot) => Deployment($"{Worker}-{slot}");

    /// <summary>All that the rollback service may do.</summary>
    public static IReadOnlyList<Grant> Role { get; } =
    [
        new(Namespace, "", ["services"], ["millrace-api"], ["patch"]),
        new(Namespace, "", ["configmaps"], ["millrace-release"], ["get", "patch"]),
        new(Namespace, "", ["events"], [], ["create"]),
        new(Namespace, "autoscaling", ["horizontalpodautoscalers"], ["millrace-api"], ["patch"]),
        new(Namespace, "apps", ["deployments"], ["millrace-api-blue", "millrace-api-green"], ["get"]),
        new(Namespace, "apps", ["deployments"], [$"{Worker}-blue", $"{Worker}-green"], ["get", "patch"]),
        new(Namespace, "apps", ["deployments/scale"], ["millrace-api-blue", "millrace-api-green", $"{Worker}-blue", $"{Worker}-green"], ["patch"]),
        new(Namespace, "keda.sh", ["scaledobjects"], [Worker], ["patch"]),
    ];

    /// <summary>Green has the traffic and the new version; blue is the previous one, with one pod and its worker at rest.</summary>
    public static void PutInto(ApiServer server, string blueVersion = "0.1.0-aaaaaaa", string greenVersion = "0.2.0-bbbbbbb", int apis = 3, int workers = 2)
    {
        server.Put(Service, Object(new { spec = new { selector = new Dictionary<string, string> { ["app"] = "millrace-api", ["millrace/slot"] = "green" } } }));
        server.Put(Hpa, Object(new { spec = new { minReplicas = 2, scaleTargetRef = Target("millrace-api-green") } }));
        server.Put(ScaledObject, Object(new { spec = new { maxReplicaCount = 10, scaleTargetRef = Target($"{Worker}-green") } }));
        server.Put(Record, Object(new
        {
            data = new { active = "green", previous = "blue", versions = JsonSerializer.Serialize(new { blue = blueVersion, green = greenVersion }), since = "2026-11-01T10:00:00Z" },
        }));
        server.Put(Api("green"), Pods(apis, standby: null));
        server.Put(Api("blue"), Pods(1, standby: null));
        server.Put(Workers("green"), Pods(workers, standby: false));
        server.Put(Workers("blue"), Pods(1, standby: true));
    }

    /// <summary>Makes a Deployment's status what its controller would make of it when all pods got ready at once.</summary>
    public static void MakeReady(ApiServer server, string deployment, int? ready = null)
    {
        var now = server.Read(deployment);
        var replicas = ready ?? (int?)now["spec"]!["replicas"] ?? 1;
        var status = Object(new { observedGeneration = (long)now["metadata"]!["generation"]!, replicas, updatedReplicas = replicas, readyReplicas = replicas });
        if (!JsonNode.DeepEquals(now["status"], status))
            server.Change(deployment, new JsonObject { ["status"] = status });
    }

    /// <summary>A controller for all Deployments, whose pods are ready at once.</summary>
    public static void RunController(ApiServer server) => server.Changed += path =>
    {
        if (path.Contains("/deployments/", StringComparison.Ordinal))
            MakeReady(server, path);
    };

    private static object Target(string deployment) => new { apiVersion = "apps/v1", kind = "Deployment", name = deployment };

    private static JsonObject Pods(int replicas, bool? standby)
    {
        object[] env = standby is { } rests
            ? [new { name = "MILLRACE__MODELS__PATH", value = "/models" }, new { name = "MILLRACE__WORKER__STANDBY", value = rests ? "true" : "false" }]
            : [new { name = "MILLRACE__HTTP__URL", value = "http://0.0.0.0:8080" }];
        return Object(new { spec = new { replicas, template = new { spec = new { containers = new object[] { new { name = "proxy", image = "proxy" }, new { name = "main", image = "millrace", env } } } } } });
    }

    private static JsonObject Object(object content) => JsonSerializer.SerializeToNode(content)!.AsObject();
}
