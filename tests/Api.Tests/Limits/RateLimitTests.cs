using System.Globalization;
using System.Text.RegularExpressions;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Limits;

/// <summary>Requests per window: of a key, a tenant, a model, an address. A window is an hour and has just begun, so that none ends within a test.</summary>
public sealed partial class RateLimitTests
{
    private const string Hour = "Millrace:RateLimit:Window=01:00:00";
    private static readonly string[] Client = ["submit", "read"];

    [Fact]
    [Conformance(72)]
    public async Task Given_a_key_When_it_calls_more_than_100_times_in_a_window_Then_429_with_the_fields_and_other_keys_go_on()
    {
        await using var server = await StartAsync();
        using var admin = await server.Client.CloseAsync();
        using var client = await admin.MakeKeyAsync("a", Client);
        using var other = await admin.MakeKeyAsync("b", Client);
        var left = 101;
        for (var at = 0; at < 100; at++)
        {
            var answer = (await client.FetchAsync(at % 2 == 0 ? "/v2/models" : "/v1/jobs/nosuch")).MustBe(at % 2 == 0 ? 200 : 404); // failures count too
            Assert.Equal("\"key\";q=100;w=3600, \"tenant\";q=1000;w=3600", answer.Header("RateLimit-Policy"));
            var fields = Field().Match(answer.Header("RateLimit")!);
            Assert.Equal(--left, Number(fields, "r") + 1);
            Assert.InRange(Number(fields, "t"), 1800, 3600); // of the hour that has just begun
        }
        var refused = (await client.FetchAsync("/v1/jobs")).MustBe(429, "rate_limited");
        Assert.Equal("key", (string?)Assert.Single(refused.Json["violated-policies"]!.AsArray()));
        Assert.Equal("0", Field().Match(refused.Header("RateLimit")!).Groups["r"].Value);
        Assert.True(int.Parse(refused.Header("Retry-After")!, CultureInfo.InvariantCulture) >= Number(Field().Match(refused.Header("RateLimit")!), "t"));
        (await client.FetchAsync("/v2/models")).MustBe(429, "rate_limited");
        (await client.FetchAsync("/v2/health/live")).MustBe(200);
        (await other.FetchAsync("/v2/models")).MustBe(200);
    }

    [Fact]
    [Attack(24)]
    public async Task Given_a_limit_of_a_tenant_When_its_keys_together_pass_it_Then_429_and_other_tenants_go_on()
    {
        await using var server = await StartAsync("Millrace:RateLimit:Tenants:a=8");
        using var admin = await server.Client.CloseAsync();
        var statuses = new List<int>();
        for (var key = 0; key < 10; key++)
        {
            using var client = await admin.MakeKeyAsync("a", Client);
            var answer = await client.FetchAsync("/v1/jobs");
            statuses.Add(answer.Status);
            if (answer.Status == 429)
                Assert.Equal("tenant", (string?)Assert.Single(answer.Json["violated-policies"]!.AsArray()));
        }
        Assert.Equal([.. Enumerable.Repeat(200, 8), 429, 429], statuses);
        using var other = await admin.MakeKeyAsync("b", Client);
        (await other.FetchAsync("/v1/jobs")).MustBe(200);
    }

    [Fact]
    public async Task Given_a_limit_of_a_model_and_one_of_a_key_When_passed_Then_each_holds_for_what_it_is_set_for()
    {
        await using var server = await StartAsync("Millrace:RateLimit:Models:ident_fp32=3");
        using var admin = await server.Client.CloseAsync();
        using var client = server.Client.WithKey((string)(await admin.NewKeyAsync(new { name = "x", tenant = "a", roles = Client, requests = 6 }))["key"]!);
        (await client.PostAsync("/v2/models/ident_fp32/infer", JobCalls.Fast)).MustBe(200);
        (await client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast))).MustBe(202);
        (await client.PostAsync("/v2/models/ident_fp32/infer", JobCalls.Fast)).MustBe(200);
        var refused = (await client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast))).MustBe(429, "rate_limited");
        Assert.Equal("model", (string?)Assert.Single(refused.Json["violated-policies"]!.AsArray()));
        Assert.Single((await client.FetchAsync("/v1/jobs")).MustBe(200).Json["data"]!.AsArray());
        (await client.PostAsync("/v2/models/ident_fp64/infer", Bodies.In("FP64", 1))).MustBe(200);
        (await client.FetchAsync("/v2/models")).MustBe(429, "rate_limited"); // its own six are used up
    }

    [Fact]
    public async Task Given_an_open_server_When_called_often_Then_there_is_no_limit_unless_one_is_set()
    {
        await using var open = await MillraceServer.StartAsync();
        for (var at = 0; at < 150; at++)
            (await open.Client.FetchAsync("/v2/models")).MustBe(200);
        Assert.Null((await open.Client.FetchAsync("/v2/models")).Header("RateLimit"));

        await using var limited = await StartAsync("Millrace:RateLimit:Requests=3");
        for (var at = 0; at < 3; at++)
            Assert.Contains("\"address\"", (await limited.Client.FetchAsync("/v2/models")).MustBe(200).Header("RateLimit"), StringComparison.Ordinal);
        (await limited.Client.FetchAsync("/v2/models")).MustBe(429, "rate_limited");
    }

    [Fact]
    [Attack(23)]
    public async Task Given_fields_that_name_another_address_When_no_proxy_is_trusted_Then_they_are_ignored()
    {
        await using var server = await StartAsync("Millrace:RateLimit:Requests=3");
        var statuses = new List<int>();
        for (var at = 0; at < 5; at++)
        {
            var many = string.Join(", ", Enumerable.Range(0, 50).Select(i => $"9.9.{at}.{i}"));
            statuses.Add((await server.Client.FetchAsync("/v2/models", ("X-Forwarded-For", many), ("Forwarded", $"for=9.9.9.{at}"), ("X-Real-IP", $"9.9.9.{at}"))).Status);
        }
        Assert.Equal([200, 200, 200, 429, 429], statuses);
    }

    [Fact]
    [Attack(23, 24)]
    public async Task Given_a_trusted_proxy_When_it_names_callers_Then_the_right_most_that_is_not_trusted_counts_and_IPv6_by_its_64()
    {
        await using var server = await StartAsync("Millrace:RateLimit:Requests=2", "Millrace:Http:TrustedProxies=127.0.0.1,10.0.0.0/8");
        Assert.Equal("200, 200, 429", await CallsAsync("1.1.1.1, 5.5.5.5, 10.1.2.3", "2.2.2.2, 5.5.5.5", "5.5.5.5")); // what stands left of it the client made up
        Assert.Equal("200, 200, 429", await CallsAsync("2001:db8:1:2::1", "2001:db8:1:2:ffff::7", "2001:db8:1:2::1"));
        Assert.Equal("200", await CallsAsync("2001:db8:1:3::1"));
        Assert.Equal("200, 200, 429", await CallsAsync("::ffff:6.6.6.6", "6.6.6.6", "6.6.6.6"));

        async Task<string> CallsAsync(params string[] forwarded)
        {
            var statuses = new List<int>();
            foreach (var chain in forwarded)
                statuses.Add((await server.Client.FetchAsync("/v2/models", ("X-Forwarded-For", chain))).Status);
            return string.Join(", ", statuses);
        }
    }

    [Fact]
    [Attack(28)]
    public async Task Given_a_failed_job_When_it_is_replayed_again_and_again_Then_it_counts_as_any_request()
    {
        await using var server = await StartAsync();
        using var admin = await server.Client.CloseAsync();
        using var client = server.Client.WithKey((string)(await admin.NewKeyAsync(new { name = "x", tenant = "a", roles = Client, requests = 10 }))["key"]!);
        var id = await client.SubmitAsync("bad", JobCalls.Fast, m => m["max_attempts"] = 1);
        await client.EndAsync(id);
        var statuses = new List<int>();
        for (var at = 0; at < 12; at++)
            statuses.Add((await client.AskAsync(HttpMethod.Post, $"/v1/jobs/{id}/replay")).Status);
        Assert.Equal(Enumerable.Repeat(202, 8), statuses.Take(8));
        Assert.All(statuses.Skip(8), s => Assert.Equal(429, s));
    }

    private static Task<MillraceServer> StartAsync(params string[] settings) => MillraceServer.StartAsync(Repository.TestModels, new BeginningOfAnHour(), [Hour, .. settings]);

    private static int Number(Match match, string name) => int.Parse(match.Groups[name].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("^\"(?<policy>[a-z]+)\";r=(?<r>[0-9]+);t=(?<t>[0-9]+)")]
    private static partial Regex Field();

    /// <summary>The system's clock, moved so that it began at a full hour.</summary>
    private sealed class BeginningOfAnHour : TimeProvider
    {
        private readonly TimeSpan _ahead = TimeSpan.FromTicks(TimeSpan.TicksPerHour - (System.GetUtcNow().Ticks % TimeSpan.TicksPerHour));

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + _ahead;
    }
}
