using Millrace.Rehearsal.Scaling;

namespace Millrace.Rehearsal.Chart;

/// <summary>The ScaledObjects of a rendered chart. What the rehearsal does not know is refused, so that it never rehearses something else.</summary>
public static class ScaledObjects
{
    private static readonly string[] KnownFields =
        ["scaleTargetRef", "pollingInterval", "cooldownPeriod", "minReplicaCount", "maxReplicaCount", "fallback", "advanced", "triggers"];

    private static readonly string[] KnownMetadata =
        ["protocol", "queueName", "mode", "value", "activationValue", "excludeUnacknowledged", "vhostName", "host", "hostFromEnv", "unsafeSsl", "timeout"];

    public static IReadOnlyList<ScaledObject> Of(Manifest manifest) => manifest.OfKind("ScaledObject").Select(Read).ToArray();

    private static ScaledObject Read(Node scaled)
    {
        var spec = scaled["spec"];
        var name = scaled["metadata"].Text("name");
        Refuse(spec, KnownFields, name);
        var behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"];
        return new ScaledObject(
            name, spec["scaleTargetRef"].Text("name"), (int)spec.Number("minReplicaCount", 0), (int)spec.Number("maxReplicaCount", 100),
            spec.Seconds("pollingInterval", TimeSpan.FromSeconds(30)), spec.Seconds("cooldownPeriod", TimeSpan.FromMinutes(5)),
            spec["fallback"].IsThere ? FallbackOf(spec["fallback"]) : null,
            Rules(behavior["scaleUp"], ScalingRules.UpByDefault), Rules(behavior["scaleDown"], ScalingRules.DownByDefault),
            spec["triggers"].List.Select(t => TriggerOf(t, name)).ToArray());
    }

    private static Trigger TriggerOf(Node trigger, string name)
    {
        if (trigger.Text("type") != "rabbitmq")
            throw new InvalidDataException($"{name}: a trigger of type {trigger.Text("type")}; the rehearsal reads queues.");
        var metadata = trigger["metadata"];
        Refuse(metadata, KnownMetadata, name);
        if (metadata.Text("mode", "QueueLength") != "QueueLength" || trigger.Text("metricType", "AverageValue") != "AverageValue")
            throw new InvalidDataException($"{name}: a trigger that is not the average of a queue's length.");
        var ready = metadata.Text("excludeUnacknowledged", "false") == "true" || metadata.Text("protocol") == "amqp";
        return new Trigger(metadata.Text("vhostName", "/"), metadata.Text("queueName"), metadata.Number("value", 20), metadata.Number("activationValue", 0), ready);
    }

    private static Fallback FallbackOf(Node fallback) => new((int)fallback.Number("failureThreshold"), (int)fallback.Number("replicas"),
        Enum.Parse<FallbackBehavior>(fallback.Text("behavior", "static"), ignoreCase: true));

    private static ScalingRules Rules(Node rules, ScalingRules otherwise) => !rules.IsThere ? otherwise : new ScalingRules(
        rules.Seconds("stabilizationWindowSeconds", otherwise.Window), Enum.Parse<PolicyChoice>(rules.Text("selectPolicy", "Max")),
        rules["policies"].List is { Count: > 0 } policies ? policies.Select(PolicyOf).ToArray() : otherwise.Policies);

    private static ScalingPolicy PolicyOf(Node policy) =>
        new(Enum.Parse<PolicyUnit>(policy.Text("type")), (int)policy.Number("value"), policy.Seconds("periodSeconds", TimeSpan.FromSeconds(15)));

    private static void Refuse(Node node, string[] known, string name)
    {
        if (node.Names.Except(known).FirstOrDefault() is { } unknown)
            throw new InvalidDataException($"{name}: the rehearsal does not know {node.Path}/{unknown}.");
    }
}
