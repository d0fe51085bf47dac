using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>What the server says of its models, and of those that it has not.</summary>
public sealed class ModelMetadataTests(ServerFixture fixture)
{
    [Theory]
    [Conformance(3)]
    [InlineData("/v2/models/pair")]
    [InlineData("/v2/models/pair/versions/1")]
    public async Task Given_pair_When_its_metadata_is_read_Then_inputs_outputs_and_versions_are_those_of_the_file(string path)
    {
        var json = (await fixture.Client.FetchAsync(path)).MustBe(200).Json;

        Assert.Equal("pair", (string?)json["name"]);
        Assert.NotEqual("", (string?)json["platform"]);
        Assert.Equal("""["1"]""", json["versions"]!.ToJsonString());
        Assert.Equal(["A FP32 [-1,4]", "B FP32 [-1,4]"], Tensors(json["inputs"]!));
        Assert.Equal(["SUM FP32 [-1,4]", "DIFF FP32 [-1,4]"], Tensors(json["outputs"]!));
    }

    [Theory]
    [Conformance(3)]
    [InlineData("str", "IN BYTES [-1]")]
    [InlineData("scalar", "IN FP32 []")]
    [InlineData("fixed", "IN FP32 [2,3]")]
    [InlineData("wide", "IN FP32 [-1,-1]")]
    [InlineData("ident_bf16", "IN BF16 [-1]")]
    [InlineData("ident_bool", "IN BOOL [-1]")]
    public async Task Given_a_datatype_and_shape_When_metadata_is_read_Then_they_are_named_as_in_the_protocol(string model, string input) =>
        Assert.Equal([input], Tensors((await fixture.Client.FetchAsync($"/v2/models/{model}")).MustBe(200).Json["inputs"]!));

    [Fact]
    [Conformance(3)]
    public async Task Given_two_versions_When_metadata_is_read_Then_both_are_listed_as_strings() =>
        Assert.Equal("""["1","2"]""", (await fixture.Client.FetchAsync("/v2/models/stepper")).MustBe(200).Json["versions"]!.ToJsonString());

    [Fact]
    [Conformance(3)]
    public async Task Given_a_ready_model_When_asked_whether_it_is_Then_200_with_its_name()
    {
        foreach (var path in (string[])["/v2/models/pair/ready", "/v2/models/pair/versions/1/ready"])
        {
            var answer = (await fixture.Client.FetchAsync(path)).MustBe(200);
            Assert.Equal("pair", (string?)answer.Json["name"]);
            Assert.True((bool)answer.Json["ready"]!);
        }
    }

    [Theory]
    [Conformance(4)]
    [InlineData("GET", "/v2/models/nope")]
    [InlineData("GET", "/v2/models/nope/ready")]
    [InlineData("POST", "/v2/models/nope/infer")]
    [InlineData("POST", "/v2/models/PAIR/infer")]
    [InlineData("GET", "/v2/models/nope/versions/1")]
    [InlineData("GET", "/v2/models/nope/versions/1/ready")]
    [InlineData("POST", "/v2/models/nope/versions/1/infer")]
    public async Task Given_an_unknown_model_When_asked_for_Then_404(string method, string path) =>
        (await fixture.Client.AskAsync(new HttpMethod(method), path)).MustBe(404, "model_not_found");

    [Theory]
    [Conformance(5)]
    [InlineData("99")]
    [InlineData("abc")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("01")]
    [InlineData("1.0")]
    [InlineData("%201")]
    [InlineData("99999999999999999999999")]
    public async Task Given_an_unknown_version_When_asked_for_Then_404(string version)
    {
        (await fixture.Client.FetchAsync($"/v2/models/pair/versions/{version}")).MustBe(404, "model_not_found");
        (await fixture.Client.FetchAsync($"/v2/models/pair/versions/{version}/ready")).MustBe(404, "model_not_found");
        (await fixture.Client.PostAsync($"/v2/models/pair/versions/{version}/infer", "{}")).MustBe(404, "model_not_found");
    }

    [Theory]
    [Conformance(5)]
    [InlineData("GET", "/v2/models/cold/ready")]
    [InlineData("GET", "/v2/models/cold/versions/1/ready")]
    [InlineData("POST", "/v2/models/cold/infer")]
    public async Task Given_a_model_that_did_not_load_When_asked_for_Then_503_with_Retry_After(string method, string path)
    {
        var answer = (await fixture.Client.AskAsync(new HttpMethod(method), path)).MustBe(503, "model_not_ready");

        Assert.Matches("^[1-9][0-9]*$", answer.Header("Retry-After"));
    }

    [Fact]
    public async Task Given_all_models_When_listed_Then_their_names_come()
    {
        var names = (await fixture.Client.FetchAsync("/v2/models")).MustBe(200).Json["models"]!.AsArray().Select(n => (string)n!).ToArray();

        var folders = Directory.GetDirectories(Repository.TestModels).Select(Path.GetFileName);
        Assert.Equal(folders.Order(StringComparer.Ordinal), names.Order(StringComparer.Ordinal));
    }

    private static string[] Tensors(JsonNode tensors) =>
        tensors.AsArray().Select(t => $"{t!["name"]} {t["datatype"]} {t["shape"]!.ToJsonString()}").ToArray();
}
