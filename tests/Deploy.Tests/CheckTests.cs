using System.Diagnostics;
using Millrace.Tests.Support;

namespace Millrace.Deploy.Tests;

/// <summary>What is shipped beside the programs, by the tools of those who read it: each script says line by line what it looked at, and ends with 1 at a fault.</summary>
public sealed class CheckTests
{
    [Fact]
    [Attack(54, 55)]
    public Task Given_the_chart_When_rendered_with_every_values_file_Then_the_objects_are_valid_and_keep_our_rules() => CheckAsync("tests/kube/check.sh");

    [Fact]
    public Task Given_the_rules_the_alerts_the_routes_and_the_dashboard_When_checked_Then_promtool_and_amtool_take_them() => CheckAsync("deploy/observability/check.sh");

    [Fact]
    [Attack(56)]
    public Task Given_the_compose_file_and_the_images_recipe_When_checked_Then_ports_rights_and_limits_are_as_they_must_be() => CheckAsync("deploy/docker/check.sh");

    private static async Task CheckAsync(string script)
    {
        var start = new ProcessStartInfo("bash") { WorkingDirectory = Repository.Root, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(script);
        using var process = Process.Start(start)!;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromMinutes(10));
        var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
        var errors = process.StandardError.ReadToEndAsync(deadline.Token);
        try { await process.WaitForExitAsync(deadline.Token); }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        Assert.True(process.ExitCode == 0, $"{script} ended with {process.ExitCode}:\n{string.Join('\n', (await output).Split('\n').TakeLast(20))}\n{await errors}");
    }
}
