using System.Text;
using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>The list of all versions of all models.</summary>
public sealed class RepositoryIndexTests(ServerFixture fixture)
{
    [Theory]
    [Conformance(32)]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"ready":false}""")]
    [InlineData("""{"unknown":1}""")]
    public async Task Given_no_filter_When_asked_Then_an_array_with_the_broken_model_and_why(string body)
    {
        var index = (await AskAsync(body)).MustBe(200).Json.AsArray();

        var cold = index.Single(e => (string?)e!["name"] == "cold")!;
        Assert.Equal("UNAVAILABLE", (string?)cold["state"]);
        Assert.NotEqual("", (string?)cold["reason"]);
        Assert.DoesNotContain("/", (string?)cold["reason"], StringComparison.Ordinal);
        var pair = index.Single(e => (string?)e!["name"] == "pair")!;
        Assert.Equal("""{"name":"pair","version":"1","state":"READY"}""", pair.ToJsonString());
        Assert.Equal(["1", "2"], Versions(index, "stepper"));
    }

    [Fact]
    [Conformance(32)]
    public async Task Given_the_filter_ready_When_asked_Then_the_broken_model_is_left_out()
    {
        var index = (await AskAsync("""{"ready":true}""")).MustBe(200).Json.AsArray();

        Assert.DoesNotContain("cold", index.Select(e => (string?)e!["name"]));
        Assert.All(index, e => Assert.Equal("READY", (string?)e!["state"]));
        Assert.Equal(["1", "2"], Versions(index, "stepper"));
    }

    [Theory]
    [Conformance(32)]
    [InlineData("""{"ready":"x"}""", "invalid_request")]
    [InlineData("""{"ready":"true"}""", "invalid_request")]
    [InlineData("""{"ready":1}""", "invalid_request")]
    [InlineData("""{"ready":{}}""", "invalid_request")]
    [InlineData("""{"ready":null}""", "invalid_request")]
    [InlineData("[]", "invalid_request")]
    [InlineData("true", "invalid_request")]
    [InlineData("{", "invalid_json")]
    [InlineData("{}x", "invalid_json")]
    public async Task Given_a_filter_that_is_none_When_asked_Then_400(string body, string code) => (await AskAsync(body)).MustBe(400, code);

    [Fact]
    [Conformance(26, 32)]
    public async Task Given_deep_nesting_or_bytes_that_are_not_UTF_8_When_asked_Then_400()
    {
        (await AskAsync("{\"x\":" + new string('[', 100_000) + new string(']', 100_000) + "}")).MustBe(400);
        (await fixture.Client.AskAsync(HttpMethod.Post, "/v2/repository/index", new ByteArrayContent([0xFF]))).MustBe(400);
    }

    [Theory]
    [Conformance(26, 32)]
    [InlineData("""{"\ud800":1}""")]
    [InlineData("""{"ready":true,"\udc00":1}""")]
    [InlineData("""{"r\u0065ady":true,"x":"\ud800"}""")]
    public async Task Given_half_a_surrogate_pair_in_what_is_ignored_When_asked_Then_200_or_400(string body)
    {
        var answer = await AskAsync(body);

        answer.MustBe(answer.Status == 200 ? 200 : 400);
    }

    private Task<Answer> AskAsync(string body) =>
        fixture.Client.AskAsync(HttpMethod.Post, "/v2/repository/index", new ByteArrayContent(Encoding.UTF8.GetBytes(body)));

    private static string[] Versions(JsonArray index, string model) =>
        index.Where(e => (string?)e!["name"] == model).Select(e => (string)e!["version"]!).ToArray();
}
