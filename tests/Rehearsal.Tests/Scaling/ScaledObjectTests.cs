using Millrace.Rehearsal.Chart;
using Millrace.Rehearsal.Scaling;
using static Millrace.Rehearsal.Tests.Scaling.Cases;

namespace Millrace.Rehearsal.Tests.Scaling;

public sealed class ScaledObjectTests
{
    private const string Rendered = """
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: other}
        ---
        # a comment alone is no object
        ---
        apiVersion: keda.sh/v1alpha1
        kind: ScaledObject
        metadata:
          name: worker-digits
        spec:
          scaleTargetRef:
            name: millrace-worker-digits
          pollingInterval: 10
          cooldownPeriod: 120
          minReplicaCount: 0
          maxReplicaCount: 8
          fallback: {failureThreshold: 3, replicas: 2, behavior: currentReplicasIfHigher}
          advanced:
            horizontalPodAutoscalerConfig:
              behavior:
                scaleUp:
                  stabilizationWindowSeconds: 0
                scaleDown:
                  stabilizationWindowSeconds: 180
                  selectPolicy: Min
                  policies:
                    - {type: Pods, value: 1, periodSeconds: 30}
                    - {type: Percent, value: 50, periodSeconds: 60}
          triggers:
            - type: rabbitmq
              metadata: {protocol: http, queueName: jobs.digits, mode: QueueLength, value: "40", activationValue: "0"}
              authenticationRef: {name: millrace-broker}
            - type: rabbitmq
              metadata: {protocol: http, vhostName: millrace, queueName: infer.digits, mode: QueueLength, value: "2.5", activationValue: "1", excludeUnacknowledged: "true"}
        """;

    [Fact]
    public void Given_a_rendered_chart_When_read_Then_each_field_is_there()
    {
        var scaled = Assert.Single(ScaledObjects.Of(Manifest.Read(Rendered)));
        Assert.Equal(("worker-digits", "millrace-worker-digits", 0, 8, S(10), S(120)), (scaled.Name, scaled.Target, scaled.MinReplicas, scaled.MaxReplicas, scaled.PollingInterval, scaled.CooldownPeriod));
        Assert.Equal([new Trigger("/", "jobs.digits", 40, 0, false), new Trigger("millrace", "infer.digits", 2.5, 1, true)], scaled.Triggers);
        Assert.Equal(new Fallback(3, 2, FallbackBehavior.CurrentReplicasIfHigher), scaled.Fallback);
        Assert.Equal((TimeSpan.Zero, PolicyChoice.Max), (scaled.ScaleUp.Window, scaled.ScaleUp.Choice));
        Assert.Equal(ScalingRules.UpByDefault.Policies, scaled.ScaleUp.Policies);
        Assert.Equal((S(180), PolicyChoice.Min), (scaled.ScaleDown.Window, scaled.ScaleDown.Choice));
        Assert.Equal([new ScalingPolicy(PolicyUnit.Pods, 1, S(30)), new ScalingPolicy(PolicyUnit.Percent, 50, S(60))], scaled.ScaleDown.Policies);
    }

    [Fact]
    public void Given_only_what_must_be_there_When_read_Then_the_rest_is_the_documented_default()
    {
        var scaled = Assert.Single(ScaledObjects.Of(Manifest.Read("""
            kind: ScaledObject
            metadata: {name: least}
            spec:
              scaleTargetRef: {name: worker}
              triggers: [{type: rabbitmq, metadata: {protocol: http, queueName: q}}]
            """)));
        Assert.Equal((0, 100, S(30), S(300)), (scaled.MinReplicas, scaled.MaxReplicas, scaled.PollingInterval, scaled.CooldownPeriod));
        Assert.Equal((20.0, 0.0), (scaled.Triggers[0].Value, scaled.Triggers[0].ActivationValue));
        Assert.Same(ScalingRules.DownByDefault, scaled.ScaleDown);
    }

    [Theory]
    [InlineData("cooldownPeriod: 120", "idleReplicaCount: 0")]
    [InlineData("mode: QueueLength, value: \"40\"", "mode: MessageRate, value: \"40\"")]
    [InlineData("- type: rabbitmq", "- type: cron")]
    [InlineData("queueName: jobs.digits", "useRegex: \"true\", queueName: jobs.digits")]
    public void Given_what_the_rehearsal_does_not_know_When_read_Then_it_is_refused(string known, string unknown) =>
        Assert.Throws<InvalidDataException>(() => ScaledObjects.Of(Manifest.Read(Rendered.Replace(known, unknown, StringComparison.Ordinal))));

    [Fact]
    public void Given_a_factor_When_hurried_Then_each_period_is_shorter_but_none_below_the_floor()
    {
        var hurried = Target.Hurried(10, S(5));
        Assert.Equal((S(5), S(30), S(5)), (hurried.PollingInterval, hurried.CooldownPeriod, hurried.SyncPeriod));
        Assert.Equal((TimeSpan.Zero, S(30)), (hurried.ScaleUp.Window, hurried.ScaleDown.Window));
        Assert.All(hurried.ScaleUp.Policies, p => Assert.Equal(S(5), p.Period));
        Assert.Equal(S(3), (Target with { CooldownPeriod = S(3) }).Hurried(10, S(5)).CooldownPeriod); // what is shorter already stays
    }
}
