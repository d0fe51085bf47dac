using System.Globalization;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Every numeric datatype at its ends, and one past them.</summary>
public sealed class NumericTests(ServerFixture fixture)
{
    [Theory]
    [Conformance(12)]
    [InlineData("BOOL", "[true,false,true]")]
    [InlineData("INT8", "[-128,-1,0,127]")]
    [InlineData("INT16", "[-32768,-1,0,32767]")]
    [InlineData("INT32", "[-2147483648,-1,0,2147483647]")]
    [InlineData("INT64", "[-9223372036854775808,-9007199254740993,0,9007199254740993,9223372036854775807]")]
    [InlineData("UINT8", "[0,128,255]")]
    [InlineData("UINT16", "[0,32768,65535]")]
    [InlineData("UINT32", "[0,2147483648,4294967295]")]
    [InlineData("UINT64", "[0,9007199254740993,9223372036854775808,18446744073709551615]")]
    public async Task Given_the_ends_of_a_whole_datatype_When_echoed_Then_every_digit_comes_back(string datatype, string data)
    {
        var count = data.Split(',').Length;

        var answer = await fixture.Client.InferTextAsync($"ident_{datatype.ToLowerInvariant()}", Calls.In(datatype, $"[{count}]", data));

        answer.MustBe(200);
        Assert.Equal(data, answer.Output("OUT")["data"]!.ToJsonString());
        Assert.Equal(datatype, (string?)answer.Output("OUT")["datatype"]);
    }

    [Fact]
    [Conformance(12)]
    public async Task Given_the_ends_of_FP32_When_echoed_Then_every_bit_comes_back()
    {
        float[] values = [float.MaxValue, float.MinValue, float.Epsilon, -float.Epsilon, 0f, -0f, 1.17549435e-38f, 16777217f, 0.1f, 3.4028233e38f];
        var data = $"[{string.Join(',', values.Select(v => v.ToString("R", CultureInfo.InvariantCulture)))}]";

        var answer = (await fixture.Client.InferTextAsync("ident_fp32", Calls.In("FP32", $"[{values.Length}]", data))).MustBe(200);

        var echoed = Texts(answer).Select(t => float.Parse(t, CultureInfo.InvariantCulture));
        Assert.Equal(values.Select(BitConverter.SingleToInt32Bits), echoed.Select(BitConverter.SingleToInt32Bits));
    }

    [Fact]
    [Conformance(12)]
    public async Task Given_the_ends_of_FP64_When_echoed_Then_every_bit_comes_back()
    {
        double[] values = [double.MaxValue, double.MinValue, double.Epsilon, -double.Epsilon, 0d, -0d, 0.1, 9007199254740993d, 1e-310];
        var data = $"[{string.Join(',', values.Select(v => v.ToString("R", CultureInfo.InvariantCulture)))}]";

        var answer = (await fixture.Client.InferTextAsync("ident_fp64", Calls.In("FP64", $"[{values.Length}]", data))).MustBe(200);

        var echoed = Texts(answer).Select(t => double.Parse(t, CultureInfo.InvariantCulture));
        Assert.Equal(values.Select(BitConverter.DoubleToInt64Bits), echoed.Select(BitConverter.DoubleToInt64Bits));
    }

    [Theory]
    [InlineData("FP32")]
    [InlineData("FP64")]
    public async Task Given_numbers_in_every_spelling_When_echoed_Then_each_is_the_nearest_of_its_datatype(string datatype)
    {
        var random = new Random(20_260);
        string[] hard =
        [
            "0.1", "1e-5", "1E+5", "-0.0", "16777217", "16777219", "33554433.0", "0.50000002980232238769531250", "1.000000059604644775390625", "1.0000000596046448", "9007199254740993",
            "8.98846567431158e37", "1.1754943508222875e-38", "1.17549435e-38", "0.000000000000000000000000000000000000011754942", "3.4028234663852885e38", "123456789012345678901234567890", "0.30000001192092896",
        ];
        var texts = hard.Concat(Enumerable.Range(0, 20_000).Select(_ => Spell(random))).ToArray();
        var spaced = string.Concat(texts.Select((t, i) => (i == 0 ? "[ " : i % 7 == 0 ? " ,\n" : ",") + t)) + " ]";

        var answer = (await fixture.Client.InferTextAsync($"ident_{datatype.ToLowerInvariant()}", Calls.In(datatype, $"[{texts.Length}]", spaced))).MustBe(200);

        var echoed = Texts(answer).ToArray();
        for (var at = 0; at < texts.Length; at++)
        {
            var (expected, got) = datatype == "FP32"
                ? (BitConverter.SingleToInt32Bits(float.Parse(texts[at], CultureInfo.InvariantCulture)), BitConverter.SingleToInt32Bits(float.Parse(echoed[at], CultureInfo.InvariantCulture)))
                : (BitConverter.DoubleToInt64Bits(double.Parse(texts[at], CultureInfo.InvariantCulture)), BitConverter.DoubleToInt64Bits(double.Parse(echoed[at], CultureInfo.InvariantCulture)));
            Assert.True(expected == got, $"{texts[at]} came back as {echoed[at]}");
        }
    }

    /// <summary>A number with up to 20 digits, a point somewhere or none, and now and then an exponent.</summary>
    private static string Spell(Random random)
    {
        var whole = random.Next(3) == 0 ? "0" : random.NextInt64(1, (long)Math.Pow(10, random.Next(1, 12))).ToString(CultureInfo.InvariantCulture);
        var fraction = random.Next(4) == 0 ? "" : "." + random.NextInt64(0, (long)Math.Pow(10, random.Next(1, 18))).ToString(CultureInfo.InvariantCulture);
        var exponent = random.Next(8) == 0 ? $"e{random.Next(-20, 20)}" : "";
        return (random.Next(2) == 0 ? "-" : "") + whole + fraction + exponent;
    }

    [Theory]
    [InlineData("[01]")]
    [InlineData("[1.]")]
    [InlineData("[.5]")]
    [InlineData("[-]")]
    [InlineData("[1,]")]
    [InlineData("[,1]")]
    [InlineData("[1 2]")]
    [InlineData("[1[2]]")]
    [InlineData("[[1][2]]")]
    [InlineData("[1")]
    [InlineData("[0x1]")]
    [InlineData("[1e]")]
    [InlineData("[+1]")]
    [InlineData("[1_0]")]
    public async Task Given_what_only_looks_like_numbers_When_sent_Then_it_is_no_JSON(string data) =>
        (await fixture.Client.InferTextAsync("ident_fp32", Calls.In("FP32", "[1]", data))).MustBe(400);

    [Fact]
    public async Task Given_JSON_that_breaks_after_the_numbers_When_sent_Then_the_answer_says_where()
    {
        var body = Calls.In("FP32", "[3]", "[1,2,3]")[..^1] + ", oops}";

        var answer = (await fixture.Client.InferTextAsync("ident_fp32", body)).MustBe(400, "invalid_json");

        Assert.Contains($"BytePositionInLine: {body.IndexOf("oops", StringComparison.Ordinal)}", answer.Text);
    }

    [Theory]
    [Attack(15)]
    [Conformance(12)]
    [InlineData("BOOL", "\"true\"")]
    [InlineData("BOOL", "1")]
    [InlineData("BOOL", "null")]
    [InlineData("INT8", "-129")]
    [InlineData("INT8", "128")]
    [InlineData("INT16", "32768")]
    [InlineData("INT32", "1.5")]
    [InlineData("INT32", "2147483648")]
    [InlineData("INT32", "\"1\"")]
    [InlineData("INT32", "true")]
    [InlineData("INT64", "9223372036854775808")]
    [InlineData("INT64", "-9223372036854775809")]
    [InlineData("UINT8", "300")]
    [InlineData("UINT8", "-1")]
    [InlineData("UINT16", "65536")]
    [InlineData("UINT32", "4294967296")]
    [InlineData("UINT64", "18446744073709551616")]
    [InlineData("UINT64", "-1")]
    [InlineData("FP32", "1e39")]
    [InlineData("FP32", "\"NaN\"")]
    [InlineData("FP64", "1e309")]
    [InlineData("FP64", "\"Infinity\"")]
    public async Task Given_a_value_outside_the_datatype_When_inferred_Then_400(string datatype, string value)
    {
        var answer = await fixture.Client.InferTextAsync($"ident_{datatype.ToLowerInvariant()}", Calls.In(datatype, "[1]", $"[{value}]"));

        Assert.Contains("IN", (string?)answer.MustBe(400, "invalid_tensor").Json["error"], StringComparison.Ordinal);
    }

    [Theory]
    [Conformance(13)]
    [InlineData("ident_fp16", "FP16")]
    [InlineData("ident_bf16", "BF16")]
    public async Task Given_a_datatype_that_JSON_does_not_have_When_inferred_Then_400(string model, string datatype) =>
        (await fixture.Client.InferTextAsync(model, Calls.In(datatype, "[1]", "[1.5]"))).MustBe(400, "invalid_tensor");

    [Fact]
    [Conformance(13)]
    public async Task Given_an_output_in_FP16_When_asked_for_as_JSON_Then_400_names_it()
    {
        var answer = (await fixture.Client.InferAsync("half", Bodies.In("FP32", 1.5))).MustBe(400, "invalid_tensor");

        Assert.Contains("OUT", (string?)answer.Json["error"], StringComparison.Ordinal);
    }

    [Fact]
    [Attack(15)]
    [Conformance(14)]
    public async Task Given_a_result_that_is_not_a_number_When_asked_for_as_JSON_Then_400()
    {
        (await fixture.Client.InferAsync("root", Bodies.In("FP32", 4, -1))).MustBe(400, "invalid_tensor");
        (await fixture.Client.InferAsync("root", Bodies.In("FP32", 4))).MustBe(200).MustGive<float>("OUT", 2);
    }

    [Theory]
    [Conformance(6)]
    [InlineData("[21]")]
    [InlineData("21")]
    public async Task Given_a_scalar_model_When_inferred_Then_shape_is_empty_and_data_has_one_element(string data)
    {
        var answer = (await fixture.Client.InferTextAsync("scalar", Calls.In("FP32", "[]", data))).MustBe(200);

        Assert.Empty(answer.Shape("OUT"));
        Assert.Equal([42], answer.Data<float>("OUT"));
    }

    [Fact]
    [Conformance(9)]
    public async Task Given_a_scalar_model_When_sent_a_vector_or_two_elements_Then_400()
    {
        (await fixture.Client.InferTextAsync("scalar", Calls.In("FP32", "[1]", "[1]"))).MustBe(400, "invalid_tensor");
        (await fixture.Client.InferTextAsync("scalar", Calls.In("FP32", "[]", "[1,2]"))).MustBe(400, "invalid_tensor");
        (await fixture.Client.InferTextAsync("scalar", Calls.In("FP32", "[]", "[]"))).MustBe(400, "invalid_tensor");
    }

    [Fact]
    [Conformance(7)]
    public async Task Given_a_model_of_fixed_shape_When_inferred_Then_only_that_shape_is_taken()
    {
        var answer = (await fixture.Client.InferTextAsync("fixed", Calls.In("FP32", "[2,3]", "[[1,2,3],[4,5,6]]"))).MustBe(200);

        Assert.Equal([2, 3, 4, 5, 6, 7], answer.Data<float>("OUT"));
        (await fixture.Client.InferTextAsync("fixed", Calls.In("FP32", "[3,2]", "[1,2,3,4,5,6]"))).MustBe(400, "invalid_tensor");
    }

    private static IEnumerable<string> Texts(Answer answer) => answer.Output("OUT")["data"]!.AsArray().Select(v => v!.ToJsonString());
}
