using Millrace.Tests.Support;
using Millrace.Tests.Support.Kubernetes;

namespace Millrace.Rollback.Tests;

/// <summary>A rollback that is cut short is brought to its end, by whoever comes next.</summary>
public sealed class CrashTests
{
    /// <summary>As many writes as a rollback has; see DecisionTests for what they are.</summary>
    private const int Writes = 13;

    public static TheoryData<int, Harm> EveryWrite
    {
        get
        {
            var rows = new TheoryData<int, Harm>();
            foreach (var write in Enumerable.Range(1, Writes))
            {
                rows.Add(write, Harm.BeforeIt);
                rows.Add(write, Harm.AfterIt);
            }
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(EveryWrite))]
    public async Task Given_a_service_that_is_killed_at_a_write_When_the_next_one_starts_Then_it_ends_the_rollback(int write, Harm harm)
    {
        await using var cluster = await Cluster.StartAsync();
        var first = await cluster.StartServiceAsync();
        var writes = 0;
        cluster.Server.Harming = _ =>
        {
            if (Interlocked.Increment(ref writes) != write)
                return Harm.None;
            first.Signal(MillraceProcess.Kill);
            return harm;
        };
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => first.SendAlertAsync());
        Assert.True(writes >= write, $"There are only {writes} writes.");

        var second = await cluster.StartServiceAsync();
        if (write == 1 && harm == Harm.BeforeIt)
            (await second.SendAlertAsync()).MustSay(200, true, "rolled_back"); // nothing was written, so only Alertmanager knows
        await Waiting.UntilAsync(() => cluster.Record("active") == "blue", "the rollback has come to its end");
        cluster.MustBeRolledBack();
        (await second.SendAlertAsync()).MustSay(200, false, "version_not_active");
    }

    [Fact]
    public async Task Given_a_whole_rollback_When_its_writes_are_counted_Then_the_crashes_above_reach_each()
    {
        await using var cluster = await Cluster.StartAsync();
        (await (await cluster.StartServiceAsync()).SendAlertAsync()).MustSay(200, true, "rolled_back");
        Assert.Equal(Writes, cluster.Writes.Count);
    }

    [Fact]
    public async Task Given_a_rollback_half_done_When_a_webhook_comes_Then_it_is_completed()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        var writes = 0;
        cluster.Server.Harming = _ => Interlocked.Increment(ref writes) >= 5 ? Harm.Unavailable : Harm.None;
        (await service.SendAlertAsync()).MustSay(503, false, "api_server_away");
        Assert.Equal("green", cluster.Record("active"));
        cluster.Server.Harming = static _ => Harm.None;
        var answer = await service.SendAlertAsync(Alerts.Notification(status: "resolved"));
        Assert.Contains((string?)answer.Json["reason"], (string[])["completed", "not_firing"]); // or the service itself was faster
        cluster.MustBeRolledBack();
    }

    [Fact]
    public async Task Given_a_rollback_half_done_When_the_API_server_is_back_Then_the_service_completes_it_by_itself()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        var writes = 0;
        cluster.Server.Harming = _ => Interlocked.Increment(ref writes) == 7 ? Harm.Unavailable : Harm.None;
        (await service.SendAlertAsync()).MustSay(503, false, "api_server_away");
        await Waiting.UntilAsync(() => cluster.Record("active") == "blue", "the rollback has come to its end");
        cluster.MustBeRolledBack();
    }

    [Fact]
    public async Task Given_a_rollback_half_done_When_another_release_was_deployed_meanwhile_Then_it_is_dropped()
    {
        await using var cluster = await Cluster.StartAsync();
        var first = await cluster.StartServiceAsync();
        var writes = 0;
        cluster.Server.Harming = _ =>
        {
            if (Interlocked.Increment(ref writes) != 2)
                return Harm.None;
            first.Signal(MillraceProcess.Kill);
            return Harm.BeforeIt;
        };
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => first.SendAlertAsync());
        Assert.NotNull(cluster.Record("rollingBack"));
        cluster.SetRecord("versions", """{"blue":"0.3.0-ccccccc","green":"0.2.0-bbbbbbb"}""");
        await cluster.StartServiceAsync();
        await Waiting.UntilAsync(() => cluster.Record("rollingBack") is null, "the rollback is dropped");
        cluster.MustBeUntouched();
    }

    [Fact]
    public async Task Given_two_webhooks_at_once_When_both_are_answered_Then_one_acted()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        var answers = await Task.WhenAll(service.SendAlertAsync(), service.SendAlertAsync());
        Assert.Single(answers, a => (bool)a.Json["acted"]!);
        Assert.Single(answers, a => (string?)a.Json["reason"] == "version_not_active");
        cluster.MustBeRolledBack();
    }

    [Fact]
    public async Task Given_two_services_When_both_get_the_alert_at_once_Then_the_end_is_that_of_one_rollback()
    {
        await using var cluster = await Cluster.StartAsync();
        var (one, two) = (await cluster.StartServiceAsync(), await cluster.StartServiceAsync());
        var answers = await Task.WhenAll(one.SendAlertAsync(), two.SendAlertAsync());
        Assert.All(answers, a => Assert.Equal(200, a.Status));
        Assert.Single(answers, a => (bool)a.Json["acted"]!);
        cluster.MustBeRolledBack();
        Assert.Single(cluster.Writes.Where(c => c.Resource == "events" && c.Verb == "create").Select(c => c.Body).Distinct());
    }
}
