using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>What the protocol leaves open is taken; what it reserves or forbids is refused.</summary>
public sealed class ParametersTests(ServerFixture fixture)
{
    [Theory]
    [Conformance(27)]
    [InlineData("""{"x":1,"y":{"z":[null]},"inputs":[@]}""")]
    [InlineData("""{"inputs":[@],"x":null}""")]
    [InlineData("""{"parameters":{},"inputs":[@]}""")]
    [InlineData("""{"parameters":{"a":"text","b":1.5,"c":true,"d":-1e9},"inputs":[@]}""")]
    [InlineData("""{"parameters":{"sequence_id":7,"sequence_start":true},"inputs":[@]}""")]
    [InlineData("""{"outputs":[{"name":"OUT","x":1,"parameters":{"y":2}}],"inputs":[@]}""")]
    public async Task Given_unknown_members_and_parameters_When_inferred_Then_they_are_ignored(string json)
    {
        const string Input = """{"unit":"m","name":"IN","parameters":{"scale":2},"datatype":"FP32","shape":[1],"data":[3]}""";
        var body = json.Replace("@", Input, StringComparison.Ordinal);

        (await fixture.Client.InferTextAsync("ident_fp32", body)).MustBe(200).MustGive<float>("OUT", 3);
    }

    [Theory]
    [Conformance(27)]
    [InlineData("/v2/models/ident_fp32/infer?x=1&verbose")]
    [InlineData("/v2/models/ident_fp32/infer?model=pair&version=9")]
    [InlineData("/v2/models/ident_fp32/versions/1/infer?=&&%00")]
    public async Task Given_unknown_query_names_When_inferred_Then_they_are_ignored(string path) =>
        (await fixture.Client.PostAsync(path, Bodies.In("FP32", 3))).MustBe(200).MustGive<float>("OUT", 3);

    [Fact]
    [Conformance(27)]
    public async Task Given_unknown_query_names_When_metadata_is_read_Then_they_are_ignored()
    {
        string[] paths = ["/v2?a=b", "/v2/health/live?a", "/v2/models/pair?version=9", "/v2/models/pair/ready?version=9", "/v2/models?a"];
        foreach (var path in paths)
            (await fixture.Client.FetchAsync(path)).MustBe(200);
    }

    [Theory]
    [Conformance(27)]
    [InlineData("""{"x":null}""")]
    [InlineData("""{"x":{}}""")]
    [InlineData("""{"x":{"y":1}}""")]
    [InlineData("""{"x":[]}""")]
    [InlineData("""{"x":[1]}""")]
    [InlineData("""{"priority":null}""")]
    [InlineData("""{"triton_x":1}""")]
    [InlineData("""{"triton_enable_empty_final_response":true}""")]
    [InlineData("""{"ok":1,"triton_":"a"}""")]
    [InlineData("[]")]
    [InlineData("1")]
    [InlineData("\"x\"")]
    public async Task Given_parameters_that_are_forbidden_When_at_any_level_Then_400(string parameters)
    {
        var tensor = """{"name":"IN","datatype":"FP32","shape":[1],"data":[3]}""";
        string[] bodies =
        [
            $$"""{"parameters":{{parameters}},"inputs":[{{tensor}}]}""",
            $$"""{"inputs":[{{tensor}}],"parameters":{{parameters}}}""",
            $$"""{"inputs":[{"parameters":{{parameters}},{{tensor[1..]}}]}""",
            $$"""{"inputs":[{{tensor}}],"outputs":[{"name":"OUT","parameters":{{parameters}}}]}""",
        ];

        foreach (var body in bodies)
            (await fixture.Client.InferTextAsync("ident_fp32", body)).MustBe(400, "invalid_request");
    }

    [Theory]
    [Conformance(27)]
    [InlineData("priority", "-1")]
    [InlineData("priority", "1.5")]
    [InlineData("priority", "\"1\"")]
    [InlineData("priority", "true")]
    [InlineData("timeout", "-1")]
    [InlineData("timeout", "0.5")]
    [InlineData("timeout", "\"1000\"")]
    [InlineData("timeout", "false")]
    public async Task Given_a_priority_or_timeout_that_is_no_whole_number_When_inferred_Then_400_names_it(string name, string value)
    {
        var body = $$"""{"parameters":{"{{name}}":{{value}}},""" + Calls.In("FP32", "[1]", "[3]")[1..];

        var answer = (await fixture.Client.InferTextAsync("ident_fp32", body)).MustBe(400, "invalid_request");

        Assert.Contains(name, (string?)answer.Json["error"], StringComparison.Ordinal);
    }

    [Theory]
    [Conformance(30)]
    [InlineData("priority", "0")]
    [InlineData("priority", "9")]
    [InlineData("priority", "10")]
    [InlineData("priority", "4294967296")]
    [InlineData("timeout", "0")]
    [InlineData("timeout", "60000000")]
    [InlineData("timeout", "9223372036854775807")]
    public async Task Given_a_priority_or_timeout_of_any_size_When_inferred_Then_200(string name, string value)
    {
        var body = $$"""{"parameters":{"{{name}}":{{value}}},""" + Calls.In("FP32", "[1]", "[3]")[1..];

        (await fixture.Client.InferTextAsync("ident_fp32", body)).MustBe(200);
    }
}
