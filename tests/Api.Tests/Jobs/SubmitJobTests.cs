using System.Globalization;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>Accepting a job, and waiting a little for its end while at it.</summary>
public sealed class SubmitJobTests(ServerFixture fixture)
{
    [Fact]
    [Conformance(44)]
    public async Task Given_a_valid_job_When_submitted_Then_202_says_where_it_is_and_when_to_ask()
    {
        var answer = (await fixture.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast))).MustBe(202);

        Assert.Equal($"/v1/jobs/{answer.Json["id"]}", answer.Header("Location"));
        Assert.True(int.Parse(answer.Header("Retry-After")!, NumberStyles.None, CultureInfo.InvariantCulture) >= 1);
        Assert.Contains((string)answer.Json["state"]!, new[] { "queued", "running" });
        Assert.Equal(("ident_fp32", "1", 5), ((string?)answer.Json["model"], (string?)answer.Json["model_version"], (int)answer.Json["priority"]!));
        Assert.Equal("succeeded", (string?)(await fixture.Client.EndAsync((string)answer.Json["id"]!))["state"]);
    }

    [Fact]
    [Conformance(44)]
    public async Task Given_a_named_version_When_submitted_Then_that_one_is_pinned_and_the_newest_without()
    {
        var one = await fixture.Client.EndAsync(await fixture.Client.SubmitAsync("stepper", Bodies.In("FP32", 1), m => m["model_version"] = "1"));
        var newest = await fixture.Client.EndAsync(await fixture.Client.SubmitAsync("stepper", Bodies.In("FP32", 1)));
        Assert.Equal(("1", "2"), ((string?)one["model_version"], (string?)newest["model_version"]));
        var result = (await fixture.Client.FetchAsync((string)one["urls"]!["result"]!)).MustBe(200).Json;
        Assert.Equal(("1", 2.0), ((string?)result["model_version"], (double)result["outputs"]![0]!["data"]![0]!));
    }

    [Fact]
    [Conformance(45)]
    public async Task Given_a_fast_model_When_the_client_prefers_to_wait_Then_200_has_the_ended_job()
    {
        var answer = (await fixture.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast), ("Prefer", "wait=10"))).MustBe(200);

        Assert.Equal("succeeded", (string?)answer.Json["state"]);
        Assert.Equal("wait=10", answer.Header("Preference-Applied"));
        Assert.Equal("Prefer", answer.Header("Vary"));
        Assert.Equal($"/v1/jobs/{answer.Json["id"]}", answer.Header("Location"));
        Assert.Null(answer.Header("Retry-After"));
    }

    [Fact]
    [Conformance(45)]
    public async Task Given_a_slow_job_When_the_preferred_wait_is_over_Then_202_has_the_unfinished_job()
    {
        await using var server = await MillraceServer.StartAsync();
        var started = TimeProvider.System.GetTimestamp();

        var answer = await server.Client.PostAsync(
            "/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(600_000), m => m["timeout"] = 3600), ("Prefer", "wait=3"));

        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 3, 30);
        answer.MustBe(202);
        Assert.Equal("running", (string?)answer.Json["state"]);
        Assert.Equal("wait=3", answer.Header("Preference-Applied"));
        Assert.NotNull(answer.Header("Retry-After"));
        (await server.Client.CancelAsync((string)answer.Json["id"]!)).MustBe(200);
    }

    [Theory]
    [Conformance(46)]
    [InlineData("wait=9999", "wait=60")]
    [InlineData("wait=99999999999999999999", "wait=60")]
    [InlineData("wait=3, wait=50", "wait=3")]
    [InlineData("WAIT=4", "wait=4")]
    [InlineData("handling=lenient, wait=5; foo=bar", "wait=5")]
    [InlineData("respond-async, wait=6", "wait=6")]
    [InlineData("wait=-1", null)]
    [InlineData("wait=x", null)]
    [InlineData("wait", null)]
    [InlineData("wait=1.5", null)]
    [InlineData("nonsense; ;, ==", null)]
    public async Task Given_a_preference_When_submitted_Then_it_is_a_hint_and_never_an_error(string prefer, string? applied)
    {
        var answer = await fixture.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast), ("Prefer", prefer));
        Assert.True(answer.Status is 200 or 202, answer.Text);
        Assert.Equal(applied, answer.Header("Preference-Applied"));
    }

    [Fact]
    [Conformance(46)]
    public async Task Given_two_waits_in_two_headers_When_submitted_Then_the_first_counts()
    {
        var answer = await fixture.Client.PostAsync(
            "/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast), ("Prefer", "wait=9999"), ("Prefer", "wait=1"), ("Prefer", "wait=x"));
        Assert.Equal("wait=60", answer.MustBe(200).Header("Preference-Applied"));
        var hint = await fixture.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast), ("Prefer", "wait=-1"));
        Assert.Null(hint.MustBe(202).Header("Preference-Applied"));
    }

    [Fact]
    [Conformance(75)]
    public async Task Given_a_valid_trace_When_submitted_Then_the_job_carries_its_id()
    {
        const string trace = "0af7651916cd43dd8448eb211c80319c";
        foreach (var parent in new[] { $"00-{trace}-b7ad6b7169203331-01", $"cc-{trace}-b7ad6b7169203331-01-what-the-future-brings" })
        {
            var id = await fixture.Client.SubmitAsync(
                "ident_fp32", JobCalls.Fast, null, ("traceparent", parent), ("tracestate", "congo=t61rcWkgMzE"));
            Assert.Equal(trace, (string?)(await fixture.Client.ReadAsync(id))["trace_id"]);
        }
    }

    [Theory]
    [Conformance(75)]
    [InlineData("00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01")]
    [InlineData("00-00000000000000000000000000000000-b7ad6b7169203331-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")]
    [InlineData("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331")]
    [InlineData("nonsense")]
    public async Task Given_an_invalid_trace_When_submitted_Then_the_job_starts_a_new_one(string parent)
    {
        var answer = (await fixture.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast), ("traceparent", parent))).MustBe(202);
        var trace = (string)answer.Json["trace_id"]!;
        Assert.Matches("^[0-9a-f]{32}$", trace);
        Assert.Contains(trace, c => c != '0');
        Assert.NotEqual("0af7651916cd43dd8448eb211c80319c", trace);
    }
}
