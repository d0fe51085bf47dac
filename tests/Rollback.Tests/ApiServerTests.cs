using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Millrace.Tests.Support;
using Millrace.Tests.Support.Kubernetes;

namespace Millrace.Rollback.Tests;

/// <summary>What it does when the API server, or the pods, do not go along.</summary>
public sealed class ApiServerTests
{
    [Fact]
    public async Task Given_an_API_server_that_is_away_When_an_alert_comes_Then_503_and_the_repetition_succeeds()
    {
        await using var cluster = await Cluster.StartAsync();
        var service = await cluster.StartServiceAsync();
        await cluster.Server.GoAwayAsync();
        (await service.SendAlertAsync()).MustSay(503, false, "api_server_away");
        Assert.Equal(503, (await service.Client.FetchAsync("/health/ready")).Status);
        Assert.Equal(200, (await service.Client.FetchAsync("/health/live")).Status);
        Assert.Contains("millrace_rollbacks_total{outcome=\"failed\"} ", (await service.Client.FetchAsync("/metrics")).Text, StringComparison.Ordinal);
        await cluster.Server.ComeBackAsync();
        (await service.SendAlertAsync()).MustSay(200, true, "rolled_back");
        cluster.MustBeRolledBack();
    }

    [Fact]
    public async Task Given_pods_that_never_get_ready_When_an_alert_comes_Then_nothing_is_switched_and_it_says_so()
    {
        await using var cluster = await Cluster.StartAsync(ready: false);
        var service = await cluster.StartServiceAsync("Millrace:Rollback:ReadyTimeout=00:00:02");
        (await service.SendAlertAsync()).MustSay(503, false, "previous_never_ready");
        cluster.MustBeUntouched();
        Assert.Equal("RollbackFailed", (string?)Assert.Single(cluster.Server.ReadAll(Installation.Events))["reason"]);
        Assert.DoesNotContain(cluster.Writes, c => c.Resource is "services" or "horizontalpodautoscalers" or "scaledobjects");
        Assert.Contains("millrace_rollbacks_total{outcome=\"not_ready\"} 1\n", (await service.Client.FetchAsync("/metrics")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_pods_of_an_older_template_When_the_previous_slot_is_waited_for_Then_they_do_not_count()
    {
        await using var cluster = await Cluster.StartAsync(ready: false);
        cluster.Server.Changed += path =>
        {
            var now = cluster.Server.Find(path);
            if (path != Installation.Api("blue") || (int)now!["status"]!["readyReplicas"]! == cluster.Replicas(path))
                return;
            now["status"]!["readyReplicas"] = cluster.Replicas(path);
            now["status"]!["updatedReplicas"] = cluster.Replicas(path); // but the controller has not seen the last change
            cluster.Change(path, new JsonObject { ["status"] = now["status"]!.DeepClone() });
        };
        var service = await cluster.StartServiceAsync("Millrace:Rollback:ReadyTimeout=00:00:01");
        (await service.SendAlertAsync()).MustSay(503, false, "previous_never_ready");
        cluster.MustBeUntouched();
    }

    [Fact]
    public async Task Given_workers_that_never_get_ready_When_an_alert_comes_Then_the_traffic_moves_all_the_same()
    {
        await using var cluster = await Cluster.StartAsync(ready: false);
        cluster.Server.Changed += path =>
        {
            if (path.Contains("/deployments/millrace-api", StringComparison.Ordinal))
                Installation.MakeReady(cluster.Server, path);
        };
        var service = await cluster.StartServiceAsync("Millrace:Rollback:ReadyTimeout=00:00:01");
        (await service.SendAlertAsync()).MustSay(200, true, "rolled_back");
        cluster.MustBeRolledBack();
    }

    public static TheoryData<int> EveryGrant => [.. Enumerable.Range(0, Installation.Role.Count)];

    [Theory]
    [MemberData(nameof(EveryGrant))]
    public async Task Given_a_Role_that_lacks_a_right_When_an_alert_comes_Then_503_names_it(int missing)
    {
        var grant = Installation.Role[missing];
        await using var cluster = await Cluster.StartAsync([.. Installation.Role.Where((_, at) => at != missing)]);
        var service = await cluster.StartServiceAsync();
        var answer = await service.SendAlertAsync();
        answer.MustSay(503, false, "api_server_refused");
        Assert.Contains(grant.Resources[0], (string?)answer.Json["detail"], StringComparison.Ordinal);
        Assert.Contains("403", (string?)answer.Json["detail"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("active", "red")]
    [InlineData("active", "")]
    [InlineData("versions", "0.1.0")]
    [InlineData("rollingBack", "{}")]
    [InlineData("lastRollback", "yesterday")]
    public async Task Given_a_record_that_cannot_be_read_When_an_alert_comes_Then_503_and_not_ready(string key, string value)
    {
        await using var cluster = await Cluster.StartAsync();
        cluster.SetRecord(key, value);
        var service = await cluster.StartServiceAsync();
        (await service.SendAlertAsync()).MustSay(503, false, "release_unreadable");
        Assert.Equal(503, (await service.Client.FetchAsync("/health/ready")).Status);
        Assert.Equal("green", cluster.Traffic);
    }

    [Fact]
    public async Task Given_the_clusters_authority_When_it_is_called_over_TLS_Then_it_alone_is_trusted_and_a_renewed_token_is_used()
    {
        using var certificate = SelfSigned();
        using var other = SelfSigned();
        await using var cluster = await Cluster.StartAsync(certificate: certificate);
        File.WriteAllText(Path.Combine(cluster.Folder, "ca.crt"), other.ExportCertificatePem());
        (await (await cluster.StartServiceAsync()).SendAlertAsync()).MustSay(503, false, "api_server_away");
        Assert.Empty(cluster.Server.Calls);

        File.WriteAllText(Path.Combine(cluster.Folder, "ca.crt"), certificate.ExportCertificatePem());
        var service = await cluster.StartServiceAsync();
        Assert.Equal(200, (await service.Client.FetchAsync("/health/ready")).Status);
        cluster.Server.Token = "the next token";
        Assert.Equal(503, (await service.Client.FetchAsync("/health/ready")).Status);
        cluster.WriteToken();
        (await service.SendAlertAsync()).MustSay(200, true, "rolled_back");
        cluster.MustBeRolledBack();
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=kubernetes", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddHours(-1), now.AddDays(1));
    }
}
