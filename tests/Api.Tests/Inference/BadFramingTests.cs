using System.Text;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Sizes, lengths and headers that do not add up: always 400, and never a byte past the end.</summary>
public sealed class BadFramingTests(ServerFixture fixture)
{
    private static readonly byte[] Two = Framing.Floats(1, 2);
    private static readonly string Good = Framing.In("FP32", "[2]", 8);

    [Theory]
    [Attack(16)]
    [Conformance(18)]
    [InlineData("-1")]
    [InlineData("-0")]
    [InlineData("+1")]
    [InlineData("x")]
    [InlineData("0x10")]
    [InlineData("1.0")]
    [InlineData("1e2")]
    [InlineData("1,000")]
    [InlineData("10, 10")]
    [InlineData("100000")]
    [InlineData("2147483648")]
    [InlineData("9223372036854775807")]
    [InlineData("9223372036854775808")]
    [InlineData("18446744073709551616")]
    [InlineData("99999999999999999999999999999999999999999999999999")]
    public async Task Given_a_header_that_is_no_length_within_the_body_When_inferred_Then_400_names_it_and_says_how_long_the_body_is(string header)
    {
        var body = Framing.Body(Good, Two);

        var answer = (await fixture.Client.InferBytesAsync("ident_fp32", body, (Framing.Header, header))).MustBe(400, "invalid_request");

        Assert.Contains(Framing.Header, (string?)answer.Json["error"], StringComparison.Ordinal);
        Assert.Contains($"{body.Length} bytes", (string?)answer.Json["error"], StringComparison.Ordinal);
    }

    [Theory]
    [Attack(16)]
    [Conformance(18)]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(-8)]
    public async Task Given_a_header_that_cuts_elsewhere_When_inferred_Then_400(int shift)
    {
        var answer = await fixture.Client.InferBytesAsync("ident_fp32", Framing.Body(Good, Two), (Framing.Header, $"{Framing.Length(Good) + shift}"));

        answer.MustBe(400);
    }

    [Fact]
    [Attack(16)]
    [Conformance(18)]
    public async Task Given_a_header_that_cuts_inside_a_letter_When_inferred_Then_400()
    {
        var json = """{"id":"🦀""";

        (await fixture.Client.InferBytesAsync("ident_fp32", Framing.Body(json + "\"}"), (Framing.Header, $"{Framing.Length(json) - 2}"))).MustBe(400, "invalid_json");
    }

    [Fact]
    [Conformance(18)]
    public async Task Given_no_header_on_a_binary_body_When_inferred_Then_400_says_that_it_is_missing()
    {
        foreach (var tensor in new[] { Two, new byte[8], "{}{}{}{}"u8.ToArray() })
        {
            var answer = (await fixture.Client.InferBytesAsync("ident_fp32", Framing.Body(Good, tensor))).MustBe(400, "invalid_json");
            Assert.Contains(Framing.Header, (string?)answer.Json["error"], StringComparison.Ordinal);
        }
        foreach (var nothing in new[] { "", "        " })
        {
            var answer = (await fixture.Client.InferBytesAsync("ident_fp32", Framing.Body(Good + nothing))).MustBe(400, "invalid_tensor");
            Assert.Contains(Framing.Header, (string?)answer.Json["error"], StringComparison.Ordinal);
        }
    }

    [Theory]
    [Attack(14, 16)]
    [Conformance(17)]
    [InlineData("FP32", "[2]", "7")]
    [InlineData("FP32", "[2]", "9")]
    [InlineData("FP32", "[2]", "0")]
    [InlineData("FP32", "[2]", "4")]
    [InlineData("FP32", "[3]", "8")]
    [InlineData("FP32", "[0]", "8")]
    [InlineData("FP32", "[2]", "-8")]
    [InlineData("FP32", "[2]", "8.5")]
    [InlineData("FP32", "[2]", "\"8\"")]
    [InlineData("FP32", "[2]", "true")]
    [InlineData("FP32", "[2]", "16")]
    [InlineData("FP32", "[2]", "2147483648")]
    [InlineData("FP32", "[2]", "4294967304")]
    [InlineData("FP32", "[2]", "9223372036854775807")]
    [InlineData("FP32", "[2]", "9223372036854775816")]
    [InlineData("FP32", "[4611686018427387906]", "8")] // x 4 wraps to 8
    [InlineData("FP32", "[1073741826]", "8")]
    [InlineData("FP32", "[9223372036854775807]", "8")]
    [InlineData("FP32", "[-1]", "8")]
    [InlineData("FP64", "[1]", "8")]
    [InlineData("FP32", "[1,2]", "8")]
    public async Task Given_a_size_that_is_not_shape_times_type_When_inferred_Then_400(string datatype, string shape, string size)
    {
        var answer = await fixture.Client.InferFramedAsync("ident_fp32", Framing.In(datatype, shape, size), Two);

        answer.MustBe(400, "invalid_tensor");
    }

    [Theory]
    [Attack(16)]
    [Conformance(17)]
    [InlineData(0)]
    [InlineData(16)]
    [InlineData(31)]
    [InlineData(33)]
    [InlineData(1000)]
    public async Task Given_sums_of_sizes_that_are_not_what_follows_the_JSON_When_inferred_Then_400(int following)
    {
        var json = $$"""{"inputs":[{{Framing.Input("A", "FP32", "[1,4]", 16)}},{{Framing.Input("B", "FP32", "[1,4]", 16)}}]}""";
        (await fixture.Client.InferFramedAsync("pair", json, new byte[32])).MustBe(200);

        (await fixture.Client.InferFramedAsync("pair", json, new byte[following])).MustBe(400, "invalid_tensor");
    }

    [Theory]
    [Attack(16)]
    [Conformance(17)]
    [InlineData("""{"name":"IN","shape":[2],"datatype":"FP32","data":[1,2],"parameters":{"binary_data_size":8}}""")]
    [InlineData("""{"name":"IN","parameters":{"binary_data_size":8},"shape":[2],"datatype":"FP32","data":[1,2]}""")]
    [InlineData("""{"data":[1,2],"name":"IN","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}}""")]
    [InlineData("""{"data":[],"name":"IN","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}}""")]
    public async Task Given_both_data_and_a_size_When_inferred_Then_400(string input)
    {
        (await fixture.Client.InferFramedAsync("ident_fp32", $$"""{"inputs":[{{input}}]}""", Two)).MustBe(400, "invalid_tensor");
        (await fixture.Client.InferFramedAsync("ident_fp32", $$"""{"inputs":[{{input.Replace(":8", ":0", StringComparison.Ordinal)}}]}""")).MustBe(400, "invalid_tensor");
    }

    [Fact]
    [Conformance(17)]
    public async Task Given_bytes_that_no_input_takes_When_inferred_Then_400_says_how_many()
    {
        var answer = (await fixture.Client.InferFramedAsync("ident_fp32", Calls.In("FP32", "[1]", "[1]"), Two)).MustBe(400, "invalid_tensor");

        Assert.Contains("8 bytes follow the JSON", (string?)answer.Json["error"], StringComparison.Ordinal);
    }

    [Theory]
    [Attack(16)]
    [Conformance(20)]
    [InlineData("[1]", new byte[] { 0xFF, 0xFF, 0xFF, 0xFF })]
    [InlineData("[1]", new byte[] { 0xFF, 0xFF, 0xFF, 0x7F, 0x61 })]
    [InlineData("[1]", new byte[] { 0xFC, 0xFF, 0xFF, 0xFF })] // 4 + length wraps to 0
    [InlineData("[1]", new byte[] { 2, 0, 0, 0, 0x61 })]
    [InlineData("[1]", new byte[] { 0, 0, 0, 1, 0x61 })] // big-endian
    [InlineData("[1]", new byte[] { 1, 0, 0 })]
    [InlineData("[1]", new byte[] { 0, 0, 0, 0, 0 })]
    [InlineData("[1]", new byte[] { 1, 0, 0, 0, 0x61, 0 })]
    [InlineData("[1]", new byte[] { 0, 0, 0, 0, 0, 0, 0, 0 })]
    [InlineData("[2]", new byte[] { 1, 0, 0, 0, 0x61 })]
    [InlineData("[1]", new byte[0])]
    [InlineData("[0]", new byte[] { 0, 0, 0, 0 })]
    [InlineData("[16777216]", new byte[] { 0, 0, 0, 0 })]
    public async Task Given_lengths_of_strings_that_do_not_add_up_When_inferred_Then_400(string shape, byte[] bytes)
    {
        var answer = await fixture.Client.InferFramedAsync("str", Framing.In("BYTES", shape, bytes.Length), bytes);

        Assert.Contains("Input IN", (string?)answer.MustBe(400, "invalid_tensor").Json["error"], StringComparison.Ordinal);
    }

    [Theory]
    [Attack(16)]
    [Conformance(12)]
    [InlineData(2)]
    [InlineData(0xFF)]
    public async Task Given_a_BOOL_that_is_neither_0_nor_1_When_inferred_Then_400_says_where(byte value)
    {
        var answer = await fixture.Client.InferFramedAsync("ident_bool", Framing.In("BOOL", "[3]", 3), [0, 1, value]);

        Assert.Contains("element 2", (string?)answer.MustBe(400, "invalid_tensor").Json["error"], StringComparison.Ordinal);
        (await fixture.Client.InferFramedAsync("ident_bool", Framing.In("BOOL", "[3]", 3), [0, 1, 1])).MustBe(200).MustGive("OUT", false, true, true);
    }

    [Theory]
    [Attack(14)]
    [Conformance(11)]
    [InlineData("[65536,65536,65536,65536]")]
    [InlineData("[4294967296,4294967296]")]
    [InlineData("[9223372036854775807,2]")]
    [InlineData("[1000000000,1000000]")]
    [InlineData("[9223372036854775807,0]")]
    [InlineData("[0,9223372036854775807]")]
    public async Task Given_a_forged_shape_of_a_binary_tensor_When_inferred_Then_400_and_nothing_of_that_size_is_allocated(string shape)
    {
        var before = GC.GetTotalAllocatedBytes();

        (await fixture.Client.InferFramedAsync("wide", Framing.In("FP32", shape, 0))).MustBe(400, "invalid_tensor");
        (await fixture.Client.InferFramedAsync("wide", Framing.In("FP32", shape, 8), Two)).MustBe(400, "invalid_tensor");

        Assert.True(GC.GetTotalAllocatedBytes() - before < 1L << 30, "More than a gigabyte was allocated.");
    }

    [Fact]
    [Attack(21)]
    public async Task Given_a_tensor_of_more_elements_than_are_taken_When_sent_in_binary_Then_400()
    {
        var bytes = new byte[(1 << 24) + 1];

        (await fixture.Client.InferFramedAsync("ident_uint8", Framing.In("UINT8", $"[{bytes.Length}]", bytes.Length), bytes)).MustBe(400, "invalid_tensor");
        (await fixture.Client.InferRawAsync("ident_uint8", bytes)).MustBe(400, "invalid_tensor");
    }

    [Fact]
    [Conformance(26)]
    public async Task Given_bytes_that_are_no_JSON_before_the_tensors_When_inferred_Then_400()
    {
        foreach (var json in new[] { "x", "{", "[]", " ", "null", Encoding.UTF8.GetString(Framing.Body(Good)) + "x" })
            (await fixture.Client.InferFramedAsync("ident_fp32", json, Two)).MustBe(400);
    }
}
