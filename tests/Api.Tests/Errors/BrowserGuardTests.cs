using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Errors;

/// <summary>A web page must not reach an open server on its visitor's machine.</summary>
public sealed class BrowserGuardTests(ServerFixture fixture)
{
    [Theory]
    [InlineData("evil.example")]
    [InlineData("evil.example:8080")]
    [InlineData("169.254.169.254")]
    public async Task Given_a_name_that_is_not_this_machines_When_called_Then_403(string host) =>
        (await fixture.Client.FetchAsync("/v1/jobs", ("Host", host))).MustBe(403, "forbidden");

    [Theory]
    [InlineData("localhost")]
    [InlineData("127.0.0.1")]
    [InlineData("[::1]:8080")]
    public async Task Given_a_name_of_this_machine_When_called_Then_200(string host) =>
        Assert.Equal(200, (await fixture.Client.FetchAsync("/v1/jobs", ("Host", host))).Status);

    [Theory]
    [Attack(53)]
    [InlineData("https://evil.example")]
    [InlineData("null")]
    public async Task Given_a_page_of_another_origin_When_it_calls_Then_403_and_nothing_runs(string origin)
    {
        var answer = await fixture.Client.PostAsync("/v2/models/pair/infer", "{}", ("Origin", origin));
        answer.MustBe(403, "forbidden");
        Assert.Null(answer.Header("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task Given_the_servers_own_pages_When_they_call_Then_200() =>
        Assert.Equal(200, (await fixture.Client.FetchAsync("/v2", ("Origin", fixture.Server.Url))).Status);
}
