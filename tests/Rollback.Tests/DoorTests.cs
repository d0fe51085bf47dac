using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Millrace.Tests.Support;
using Millrace.Tests.Support.Kubernetes;

namespace Millrace.Rollback.Tests;

/// <summary>Who is let in, with what, and with which settings it starts.</summary>
public sealed class DoorTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("Bearer another token")]
    [InlineData("Bearer a token for Alertmanager2")]
    [InlineData("Bearer a token for Alertmanage")]
    [InlineData("Basic a token for Alertmanager")]
    [InlineData("a token for Alertmanager")]
    public async Task Given_another_token_When_an_alert_comes_Then_401_and_nothing_is_done(string? header)
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        var answer = await service.Client.PostAsync("/alerts", Alerts.Notification(), header is null ? [] : [("Authorization", header)]);
        answer.MustSay(401, false, "unauthorized");
        Assert.DoesNotContain(Cluster.Token, service.Output, StringComparison.Ordinal);
        Assert.Empty(cluster.Writes);
        cluster.MustBeUntouched();
    }

    [Theory]
    [InlineData("")]
    [InlineData("garbage")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"alerts": null}""")]
    [InlineData("""{"alerts": [null]}""")]
    [InlineData("""{"alerts": [{}]}""")]
    [InlineData("""{"alerts": [{"status": "firing"}]}""")]
    [InlineData("""{"alerts": [{"status": "firing", "labels": null}]}""")]
    [InlineData("""{"alerts": [{"status": "firing", "labels": {"action": null}}]}""")]
    [InlineData("""{"alerts": [{"status": "firing", "labels": {"action": 1}}]}""")]
    [InlineData("""{"alerts": [{"status": "firing", "labels": {"action": "rollback"}}""")]
    public async Task Given_a_body_that_is_no_notification_When_sent_Then_400_and_nothing_is_done(string body)
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        (await service.Client.PostAsync("/alerts", body, ("Authorization", $"Bearer {Cluster.Token}"))).MustSay(400, false, "malformed");
        Assert.Empty(cluster.Writes);
    }

    [Fact]
    public async Task Given_a_body_over_a_mebibyte_When_sent_Then_413()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        var body = $$"""{"alerts": [], "padding": "{{new string('x', 1 << 20)}}"}""";
        (await service.Client.PostAsync("/alerts", body, ("Authorization", $"Bearer {Cluster.Token}"))).MustSay(413, false, "too_large");
    }

    [Fact]
    public async Task Given_no_alerts_When_sent_Then_it_is_refused_as_not_firing()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        (await service.SendAlertAsync(new { alerts = Array.Empty<object>() })).MustSay(200, false, "not_firing");
    }

    [Fact]
    public async Task Given_a_caller_that_leaves_When_the_rollback_has_begun_Then_it_goes_on()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        using var leaving = new CancellationTokenSource();
        cluster.Server.Harming = call =>
        {
            if (call.Resource == "deployments/scale")
                leaving.Cancel();
            return Harm.None;
        };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/alerts")
        {
            Content = new StringContent(System.Text.Json.JsonSerializer.Serialize(Alerts.Notification()), Encoding.UTF8, "application/json"),
        };
        request.Headers.Authorization = new("Bearer", Cluster.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => service.Client.SendAsync(request, leaving.Token));
        await Waiting.UntilAsync(() => cluster.Record("active") == "blue", "the rollback has come to its end");
        cluster.MustBeRolledBack();
    }

    [Fact]
    public async Task Given_a_token_in_a_file_When_started_Then_it_is_the_one()
    {
        await using var cluster = await Cluster.StartAsync();
        using var secrets = new TemporaryFolder();
        File.WriteAllText(Path.Combine(secrets.Path, "MILLRACE__ROLLBACK__TOKEN"), "a token of the file\n");
        var settings = cluster.Settings().Where(s => !s.StartsWith("Millrace:Rollback:Token=", StringComparison.Ordinal));
        await using var service = await MillraceProcess.StartAsync("Rollback", [$"MILLRACE_SECRETS={secrets.Path}", .. settings]);
        (await service.SendAlertAsync()).MustSay(401, false, "unauthorized");
        (await service.Client.PostAsync("/alerts", Alerts.Notification(), ("Authorization", "Bearer a token of the file"))).MustSay(200, true, "rolled_back");
    }

    [Theory]
    [InlineData("Millrace:Rollback:Token", "")]
    [InlineData("Millrace:Rollback:Token", "short")]
    [InlineData("Millrace:Rollback:Namespace", "")]
    [InlineData("Millrace:Rollback:Namespace", "../kube-system")]
    [InlineData("Millrace:Rollback:Service", "Api")]
    [InlineData("Millrace:Rollback:Hpa", "a/b")]
    [InlineData("Millrace:Rollback:ConfigMap", "")]
    [InlineData("Millrace:Rollback:Deployments", "millrace-api-blue")]
    [InlineData("Millrace:Rollback:Deployments", "millrace-api-blue,millrace-api-blue")]
    [InlineData("Millrace:Rollback:Deployments", "millrace-api-blue,millrace-api-red")]
    [InlineData("Millrace:Rollback:Workers", "good,bad one")]
    [InlineData("Millrace:Rollback:Cooldown", "soon")]
    [InlineData("Millrace:Rollback:Cooldown", "8.00:00:00")]
    [InlineData("Millrace:Rollback:ReadyTimeout", "00:00:00")]
    [InlineData("Millrace:Rollback:ApiServer", "")]
    [InlineData("Millrace:Rollback:ApiServer", "nonsense")]
    [InlineData("Millrace:Rollback:Url", "nonsense")]
    [InlineData("Millrace:Rollback:Tokn", "misspelt")]
    public async Task Given_a_bad_setting_When_started_Then_one_line_names_it(string setting, string value)
    {
        await using var cluster = await Cluster.StartAsync();
        var (exitCode, errors) = await MillraceProcess.StartToFailAsync("Rollback", cluster.Settings($"{setting}={value}"));
        Assert.Equal(1, exitCode);
        var line = Assert.Single(errors);
        Assert.StartsWith("millrace: ", line, StringComparison.Ordinal);
        Assert.Contains(setting, line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_two_bad_settings_When_started_Then_both_are_named()
    {
        await using var cluster = await Cluster.StartAsync();
        var (_, errors) = await MillraceProcess.StartToFailAsync("Rollback", cluster.Settings("Millrace:Rollback:Token=", "Millrace:Rollback:Namespace="));
        Assert.Contains("Millrace:Rollback:Token", Assert.Single(errors), StringComparison.Ordinal);
        Assert.Contains("Millrace:Rollback:Namespace", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_port_in_use_When_started_Then_one_line_says_so()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await using var cluster = await Cluster.StartAsync();
        var (exitCode, errors) = await MillraceProcess.StartToFailAsync("Rollback", cluster.Settings($"Millrace:Rollback:Url=http://127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}"));
        Assert.Equal(1, exitCode);
        Assert.Contains("Millrace:Rollback:Url", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_the_health_command_When_the_service_is_ready_or_not_Then_its_exit_code_says_so()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        Assert.Contains("green is active", (await service.Client.FetchAsync("/health/ready")).Text, StringComparison.Ordinal);
        var url = $"Millrace:Rollback:Url={service.Client.BaseAddress!.GetLeftPart(UriPartial.Authority)}";
        Assert.Equal((0, ""), await AskAsync(cluster.Settings(url)));
        await cluster.Server.GoAwayAsync();
        var (exitCode, error) = await AskAsync(cluster.Settings(url));
        Assert.Equal(1, exitCode);
        Assert.Contains("not ready", error, StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Error)> AskAsync(string[] settings)
    {
        string[] command = [Path.Combine(Repository.Root, "artifacts", "bin", "Rollback", "release", "Millrace.Rollback.dll"), "health", .. settings.Select(s => "--" + s)];
        using var process = Process.Start(new ProcessStartInfo("dotnet", command) { RedirectStandardError = true })!;
        var error = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, error);
    }
}
