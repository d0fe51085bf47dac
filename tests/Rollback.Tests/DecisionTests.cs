using System.Globalization;
using System.Text.Json;
using Millrace.Tests.Support;
using Millrace.Tests.Support.Kubernetes;

namespace Millrace.Rollback.Tests;

/// <summary>When it acts, and when it does not.</summary>
public sealed class DecisionTests
{
    [Fact]
    public async Task Given_a_bad_release_When_its_alert_fires_Then_everything_is_that_of_the_previous_one()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        (await service.SendAlertAsync()).MustSay(200, true, "rolled_back");
        cluster.MustBeRolledBack();
        var metrics = (await service.Client.FetchAsync("/metrics")).Text;
        Assert.Contains("millrace_rollbacks_total{outcome=\"rolled_back\"} 1\n", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_rollback_When_done_Then_the_traffic_moved_after_the_pods_were_ready_and_before_the_bad_ones_went()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        (await service.SendAlertAsync()).MustSay(200, true, "rolled_back");
        string[] order = [.. cluster.Writes.Select(c => $"{c.Resource} {c.Name}")];
        Assert.Equal(
        [
            "configmaps millrace-release", "deployments/scale millrace-api-blue", "configmaps millrace-release", "services millrace-api", "horizontalpodautoscalers millrace-api",
            "deployments/scale millrace-worker-digits-blue", "deployments millrace-worker-digits-blue", "scaledobjects millrace-worker-digits",
            "deployments millrace-worker-digits-green", "deployments/scale millrace-worker-digits-green", "deployments/scale millrace-api-green", "events ", "configmaps millrace-release",
        ], order);
    }

    [Fact]
    public async Task Given_a_whole_rollback_When_its_calls_are_compared_with_the_Role_Then_each_right_is_used_and_none_is_missing()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        (await service.SendAlertAsync()).MustSay(200, true, "rolled_back");
        var used = cluster.Server.Calls.Select(c => (c.Group, c.Resource, c.Verb)).ToHashSet();
        var granted = Installation.Role.SelectMany(g => g.Resources.SelectMany(r => g.Verbs.Select(v => (g.Group, r, v)))).ToHashSet();
        Assert.Equal(granted.Order(), used.Order());
    }

    [Theory]
    [InlineData("not_firing")]
    [InlineData("not_for_rollback")]
    [InlineData("version_not_active")]
    [InlineData("cooling_down")]
    [InlineData("no_previous")]
    [InlineData("previous_not_ready")]
    public async Task Given_a_condition_that_does_not_hold_When_an_alert_comes_Then_nothing_is_done_and_the_answer_says_why(string reason)
    {
        await using var cluster = await Cluster.StartAsync(ready: false);
        Break(cluster, reason);
        var service = await cluster.StartServiceAsync();
        (await service.SendAlertAsync(Notification(reason))).MustSay(200, false, reason);
        cluster.MustBeUntouched();
        Assert.Empty(cluster.Writes);
        Assert.Contains("millrace_rollbacks_total{outcome=\"refused\"} 1\n", (await service.Client.FetchAsync("/metrics")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_several_conditions_that_do_not_hold_When_an_alert_comes_Then_the_answer_is_the_first_of_them()
    {
        string[] reasons = ["not_firing", "not_for_rollback", "version_not_active", "cooling_down", "no_previous", "previous_not_ready"];
        await using var cluster = await Cluster.StartAsync(ready: false);
        var service = await cluster.StartServiceAsync();
        foreach (var (reason, at) in reasons.Select((r, i) => (r, i)).Reverse())
        {
            Break(cluster, reason);
            (await service.SendAlertAsync(Notification([.. reasons[at..]]))).MustSay(200, false, reason);
        }
    }

    [Fact]
    public async Task Given_a_cooldown_that_is_over_When_an_alert_comes_Then_it_acts()
    {
        await using var cluster = await Cluster.StartAsync();
        cluster.SetRecord("lastRollback", TimeProvider.System.GetUtcNow().AddMinutes(-31).ToString("O", CultureInfo.InvariantCulture));
        var service = await cluster.StartServiceAsync();
        (await service.SendAlertAsync()).MustSay(200, true, "rolled_back");
    }

    [Fact]
    public async Task Given_a_release_that_was_rolled_back_When_the_older_one_is_bad_too_Then_the_bad_one_does_not_come_back()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync("Millrace:Rollback:Cooldown=00:00:00");
        (await service.SendAlertAsync()).MustSay(200, true, "rolled_back");
        (await service.SendAlertAsync(Alerts.Notification())).MustSay(200, false, "version_not_active");
        (await service.SendAlertAsync(Alerts.Notification(Cluster.GoodVersion))).MustSay(200, false, "no_previous");
        cluster.MustBeRolledBack();
    }

    [Fact]
    public async Task Given_several_alerts_When_one_of_them_is_reason_enough_Then_it_acts()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        object[] all = [.. new[] { Alerts.Notification(Cluster.GoodVersion), Alerts.Notification(action: null), Alerts.Notification() }
            .Select(n => (object)JsonSerializer.SerializeToNode(n)!["alerts"]![0]!)];
        (await service.SendAlertAsync(new { alerts = all })).MustSay(200, true, "rolled_back");
    }

    [Fact]
    public async Task Given_no_workers_and_no_autoscaler_When_an_alert_comes_Then_the_Service_alone_is_switched()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync("Millrace:Rollback:Workers=", "Millrace:Rollback:Hpa=");
        (await service.SendAlertAsync()).MustSay(200, true, "rolled_back");
        Assert.Equal("blue", cluster.Traffic);
        Assert.DoesNotContain(cluster.Writes, c => c.Resource is "horizontalpodautoscalers" or "scaledobjects" || c.Name.Contains("worker", StringComparison.Ordinal));
    }

    private static void Break(Cluster cluster, string reason)
    {
        if (reason == "cooling_down")
            cluster.SetRecord("lastRollback", TimeProvider.System.GetUtcNow().AddMinutes(-29).ToString("O", CultureInfo.InvariantCulture));
        if (reason == "no_previous")
            cluster.SetRecord("previous", "");
        if (reason == "previous_not_ready")
            Installation.MakeReady(cluster.Server, Installation.Api("blue"), ready: 0);
    }

    private static object Notification(params string[] reasons) => Alerts.Notification(
        reasons.Contains("version_not_active") ? Cluster.GoodVersion : Cluster.BadVersion,
        reasons.Contains("not_firing") ? "resolved" : "firing",
        reasons.Contains("not_for_rollback") ? "page" : "rollback");
}
