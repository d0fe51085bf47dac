using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>What a program sees that was written for Triton.</summary>
public sealed class TritonClientTests(ServerFixture fixture)
{
    private readonly TritonClient _client = new(fixture.Client);
    private static readonly TritonInput A = TritonInput.Binary("A", "FP32", [1, 4], Framing.Floats(1, 2, 3, 4));
    private static readonly TritonInput B = TritonInput.Binary("B", "FP32", [1, 4], Framing.Floats(10, 20, 30, 40));

    [Fact]
    [Conformance(15)]
    public async Task Given_no_outputs_named_When_inferred_Then_all_come_in_binary()
    {
        var result = await _client.InferAsync("pair", [A, B], id: "first \U0001F980");

        Assert.True(result.IsBinary);
        Assert.Equal(["SUM", "DIFF"], result.Names);
        Assert.Equal([11, 22, 33, 44], result.Floats("SUM"));
        Assert.Equal([-9, -18, -27, -36], result.Floats("DIFF"));
        Assert.Equal("first \U0001F980", (string?)result.Response["id"]);
    }

    [Fact]
    [Conformance(16)]
    public async Task Given_outputs_in_either_form_When_inferred_Then_each_is_found_by_its_name()
    {
        var result = await _client.InferAsync("pair", [A, B], [new TritonOutput("DIFF", Binary: false), new TritonOutput("SUM")]);

        Assert.Equal(["DIFF", "SUM"], result.Names);
        Assert.NotNull(result.Output("DIFF")["data"]);
        Assert.Null(result.Output("SUM")["data"]);
        Assert.Equal([-9, -18, -27, -36], result.Floats("DIFF"));
        Assert.Equal([11, 22, 33, 44], result.Floats("SUM"));
    }

    [Fact]
    [Conformance(16)]
    public async Task Given_an_input_in_JSON_beside_one_in_binary_When_inferred_Then_both_are_read()
    {
        var json = TritonInput.Json("A", "FP32", [1, 4], [1, 2, 3, 4]);

        foreach (var inputs in (TritonInput[][])[[json, B], [B, json]])
        {
            var result = await _client.InferAsync("pair", inputs);
            Assert.Equal([11, 22, 33, 44], result.Floats("SUM"));
        }
    }

    [Fact]
    [Conformance(15)]
    public async Task Given_all_in_JSON_When_inferred_Then_there_is_no_header_either_way()
    {
        var result = await _client.InferAsync("ident_fp32", [TritonInput.Json("IN", "FP32", [2], [1, 2])], [new TritonOutput("OUT", Binary: false)]);

        Assert.False(result.IsBinary);
        Assert.Equal([1, 2], result.Floats("OUT"));
    }

    [Theory]
    [Conformance(23)]
    [InlineData("gzip", null)]
    [InlineData("deflate", null)]
    [InlineData(null, "gzip")]
    [InlineData(null, "deflate")]
    [InlineData("gzip", "deflate")]
    [InlineData("deflate", "gzip")]
    public async Task Given_codings_for_request_or_answer_When_inferred_in_binary_Then_the_headers_count_what_is_not_coded(string? request, string? answer)
    {
        var values = Enumerable.Range(0, 5000).Select(i => i % 7 * 1f).ToArray();

        var result = await _client.InferAsync("ident_fp32", [TritonInput.Binary("IN", "FP32", [values.Length], Framing.Floats(values))], requestCoding: request, answerCoding: answer);

        Assert.Equal(answer, result.Coding);
        Assert.Equal(values, result.Floats("OUT"));
    }

    [Fact]
    [Conformance(6)]
    public async Task Given_version_priority_timeout_and_parameters_of_its_own_When_inferred_Then_they_are_taken()
    {
        var result = await _client.InferAsync("stepper", [TritonInput.Binary("IN", "FP32", [1], Framing.Floats(10))], version: "1", priority: 3, timeout: 30_000_000,
            parameters: new Dictionary<string, JsonNode?> { ["sequence_id"] = 7, ["mine"] = "x" });

        Assert.Equal("1", (string?)result.Response["model_version"]);
        Assert.Equal([11], result.Floats("OUT"));
    }

    [Fact]
    [Conformance(29)]
    public async Task Given_a_timeout_in_microseconds_When_it_passes_Then_the_status_is_504()
    {
        await using var server = await MillraceServer.StartAsync();
        var error = await Assert.ThrowsAsync<TritonException>(() => new TritonClient(server.Client).InferAsync("sleep", [TritonInput.Binary("IN", "INT32", [1], BitConverter.GetBytes(60_000))], timeout: 1000));

        Assert.Equal("504", error.Status);
    }

    [Theory]
    [Conformance(4)]
    [InlineData("no such model", "404")]
    [InlineData("a/b", "404")]
    [InlineData("ident_fp64", "400")]
    [InlineData("cold", "503")]
    public async Task Given_a_call_that_fails_When_its_error_is_read_Then_it_has_a_text_and_the_status(string model, string status)
    {
        var error = await Assert.ThrowsAsync<TritonException>(() => _client.InferAsync(model, [TritonInput.Binary("IN", "FP32", [1], Framing.Floats(1))]));

        Assert.Equal(status, error.Status);
        Assert.NotEqual("", error.Message);
    }

    [Fact]
    [Conformance(20)]
    public async Task Given_strings_When_sent_as_serialize_byte_tensor_does_Then_they_come_back()
    {
        var bytes = Framing.Strings("one"u8.ToArray(), [], [0xFF, 0x00], "🦀"u8.ToArray());

        Assert.Equal(bytes, (await _client.InferAsync("str", [TritonInput.Binary("IN", "BYTES", [4], bytes)])).Raw("OUT"));
    }

    [Fact]
    [Conformance(15)]
    public async Task Given_no_elements_When_inferred_Then_the_empty_output_has_a_size()
    {
        var result = await _client.InferAsync("ident_fp32", [TritonInput.Binary("IN", "FP32", [0], [])]);

        Assert.Equal(0, (int?)result.Output("OUT")["parameters"]!["binary_data_size"]);
        Assert.Empty(result.Raw("OUT"));
    }
}
