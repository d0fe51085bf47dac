using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>What the server says of itself.</summary>
public sealed class ServerMetadataTests(ServerFixture fixture)
{
    [Theory]
    [Conformance(1)]
    [InlineData("/v2")]
    [InlineData("/v2/")]
    public async Task Given_either_spelling_When_asked_Then_name_version_and_extensions_come_as_strings(string path)
    {
        var answer = (await fixture.Client.FetchAsync(path)).MustBe(200);

        Assert.Equal("application/json", answer.Message.Content.Headers.ContentType!.MediaType);
        Assert.NotEqual("", (string?)answer.Json["name"]);
        Assert.Matches(@"^\d+\.\d+", (string?)answer.Json["version"]);
        string[] known =
        [
            "binary_tensor_data", "classification", "model_repository", "model_configuration", "parameters", "schedule_policy", "statistics",
        ];
        Assert.All(await ExtensionsAsync(), e => Assert.Contains(e, known));
    }

    [Theory]
    [Conformance(1)]
    [InlineData("binary_tensor_data")]
    [InlineData("classification")]
    [InlineData("parameters")]
    [InlineData("schedule_policy")]
    public async Task Given_an_extension_that_is_built_When_asked_Then_it_is_listed(string extension) => Assert.Contains(extension, await ExtensionsAsync());

    [Theory]
    [Conformance(1)]
    [InlineData("sequence")]
    [InlineData("system_shared_memory")]
    [InlineData("trace")]
    [InlineData("logging")]
    public async Task Given_an_extension_that_is_not_built_When_asked_Then_it_is_not_listed(string extension) =>
        Assert.DoesNotContain(extension, await ExtensionsAsync());

    [Theory]
    [Conformance(1)]
    [InlineData("model_repository", "/v2/repository/index")]
    [InlineData("model_repository", "/v2/repository/models/nope/load")]
    [InlineData("model_repository", "/v2/repository/models/nope/unload")]
    public async Task Given_an_extension_that_is_listed_When_its_routes_are_asked_Then_they_are_there(string extension, string path)
    {
        if (!(await ExtensionsAsync()).Contains(extension))
            return;
        var answer = await fixture.Client.PostAsync(path, "{}");
        var code = answer.Status >= 400 ? (string?)answer.Json["code"] : null;
        Assert.False(code is "not_found" or "not_implemented", $"{extension} is listed, but {path} is not there.");
    }

    private async Task<string[]> ExtensionsAsync() =>
        (await fixture.Client.FetchAsync("/v2")).MustBe(200).Json["extensions"]!.AsArray().Select(e => (string)e!).ToArray();
}
