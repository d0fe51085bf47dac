using System.Text;
using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Header 0: the body is nothing but the tensor of the one input.</summary>
public sealed class RawRequestTests(ServerFixture fixture)
{
    [Theory]
    [Conformance(19)]
    [InlineData("ident_fp32", "[4]", 16)]
    [InlineData("ident_fp32", "[0]", 0)]
    [InlineData("ident_uint8", "[16]", 16)]
    [InlineData("ident_fp16", "[8]", 16)]
    [InlineData("ident_fp64", "[2]", 16)]
    public async Task Given_a_vector_alone_When_sent_raw_Then_its_length_is_found_from_the_bytes(string model, string shape, int size)
    {
        var bytes = Enumerable.Range(1, size).Select(i => (byte)i).ToArray();

        var split = await (await fixture.Client.InferRawAsync(model, bytes)).SplitAsync();

        Assert.Equal(shape, split.Output("OUT")["shape"]!.ToJsonString());
        Assert.Equal(bytes, split.Tensors["OUT"]);
        Assert.False(split.Json.AsObject().ContainsKey("id"));
    }

    [Theory]
    [Conformance(19)]
    [InlineData("rows", new float[] { 1, 2, 3, 4, 5, 6, 7, 8 }, new float[] { 10, 26 })] // [-1,4]: the rows are found
    [InlineData("wide", new float[] { 1, 2, 3 }, new float[] { 6 })] // [-1,-1]: a batch of one
    public async Task Given_rows_alone_When_sent_raw_Then_what_is_variable_is_found_from_the_bytes(string model, float[] values, float[] sums)
    {
        var split = await (await fixture.Client.InferRawAsync(model, Framing.Floats(values))).SplitAsync();

        Assert.Equal(Framing.Floats(sums), split.Tensors["SUM"]);
    }

    [Fact]
    [Conformance(19)]
    public async Task Given_a_fixed_shape_or_a_scalar_When_sent_raw_Then_just_its_size_is_taken()
    {
        Assert.Equal(Framing.Floats(2, 3, 4, 5, 6, 7), (await (await fixture.Client.InferRawAsync("fixed", Framing.Floats(1, 2, 3, 4, 5, 6))).SplitAsync()).Tensors["OUT"]);
        Assert.Equal(Framing.Floats(42), (await (await fixture.Client.InferRawAsync("scalar", Framing.Floats(21))).SplitAsync()).Tensors["OUT"]);
        foreach (var (model, size) in new[] { ("fixed", 20), ("fixed", 28), ("fixed", 48), ("fixed", 0), ("scalar", 0), ("scalar", 8), ("scalar", 3) })
            (await fixture.Client.InferRawAsync(model, new byte[size])).MustBe(400, "invalid_tensor");
    }

    [Theory]
    [Conformance(19)]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("{\"inputs\":[]}")]
    [InlineData("\u0005\0\0\0no length is read")]
    public async Task Given_a_model_of_strings_When_sent_raw_Then_the_body_is_the_one_element(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);

        var split = await (await fixture.Client.InferRawAsync("str", bytes)).SplitAsync();

        Assert.Equal("[1]", split.Output("OUT")["shape"]!.ToJsonString());
        Assert.Equal(Framing.Strings(bytes), split.Tensors["OUT"]);
    }

    [Theory]
    [Attack(16)]
    [Conformance(19)]
    [InlineData("ident_fp32", 15)]
    [InlineData("ident_fp32", 1)]
    [InlineData("ident_fp16", 3)]
    [InlineData("ident_fp64", 12)]
    [InlineData("rows", 20)]
    [InlineData("wide", 6)]
    public async Task Given_bytes_that_are_no_whole_number_of_elements_or_rows_When_sent_raw_Then_400_names_the_input(string model, int size) =>
        Assert.Contains("Input IN", (string?)(await fixture.Client.InferRawAsync(model, new byte[size])).MustBe(400, "invalid_tensor").Json["error"], StringComparison.Ordinal);

    [Fact]
    [Attack(16)]
    [Conformance(19)]
    public async Task Given_a_model_of_two_inputs_When_sent_raw_Then_400_names_them()
    {
        var answer = (await fixture.Client.InferRawAsync("pair", new byte[32])).MustBe(400, "invalid_tensor");

        Assert.Contains("A, B", (string?)answer.Json["error"], StringComparison.Ordinal);
    }

    [Fact]
    [Conformance(12)]
    public async Task Given_a_BOOL_that_is_neither_0_nor_1_When_sent_raw_Then_400() =>
        (await fixture.Client.InferRawAsync("ident_bool", [0, 1, 2])).MustBe(400, "invalid_tensor");

    [Fact]
    [Conformance(18)]
    public async Task Given_JSON_and_a_header_of_0_When_inferred_Then_it_is_taken_as_bytes_and_not_as_JSON()
    {
        var json = Calls.In("UINT8", "[1]", "[1]");

        var split = await (await fixture.Client.InferRawAsync("ident_uint8", Encoding.UTF8.GetBytes(json))).SplitAsync();

        Assert.Equal(json, Encoding.UTF8.GetString(split.Tensors["OUT"]));
    }

    [Fact]
    [Conformance(35)]
    public async Task Given_respond_async_When_sent_raw_Then_a_job_gives_the_bytes()
    {
        var accepted = (await fixture.Client.InferRawAsync("ident_fp32", Framing.Floats(1, 2), ("Prefer", "respond-async, wait=30"))).MustBe(200);

        var split = await (await fixture.Client.FetchAsync($"{accepted.Header("Location")}/result")).SplitAsync();
        Assert.Equal(Framing.Floats(1, 2), split.Tensors["OUT"]);
        Assert.True(JsonNode.DeepEquals(split.Output("OUT")["parameters"], JsonNode.Parse("""{"binary_data_size":8}""")));
    }
}
