using Millrace.Rehearsal.Run;

namespace Millrace.Rehearsal.Tests;

/// <summary>The rehearsal of <c>make rehearse-autoscale</c>, made short: fewer jobs, and periods divided by fifty, on a broker that counts every second.</summary>
public sealed class RehearsalTests
{
    [Fact]
    public async Task Given_the_chart_When_load_comes_and_goes_Then_real_workers_follow_it_from_none_and_back_and_no_job_is_lost()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Directory.Exists("/usr/lib/rabbitmq") && Directory.Exists("/usr/lib/postgresql"), "It needs RabbitMQ and PostgreSQL as packages: make deps.");
        var (manifest, rendered) = await Autoscale.RenderAsync();
        var plan = Plan.Short;
        await using var stage = await Stage.OpenAsync("rehearsal-test", manifest, rendered.Select(r => r.Hurried(plan.Factor, plan.Floor)).ToArray(), Autoscale.Models, TimeSpan.FromSeconds(1));
        var outcome = await Autoscale.PlayAsync(stage, plan, manifest, rendered);
        Assert.All(Verdict.Of(outcome), finding => Assert.True(finding.Holds, finding.What));
    }
}
