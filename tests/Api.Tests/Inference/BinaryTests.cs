using System.Text;
using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Tensors after the JSON, there and back; and outputs in the form that was asked for.</summary>
public sealed class BinaryTests(ServerFixture fixture)
{
    private static readonly byte[] A = Framing.Floats(1, 2, 3, 4);
    private static readonly byte[] B = Framing.Floats(10, 20, 30, 40);
    private static readonly string BinaryPair = $"{Framing.Input("A", "FP32", "[1,4]", 16)},{Framing.Input("B", "FP32", "[1,4]", 16)}";

    private static string Pair(string more) => $$"""{"inputs":[{{BinaryPair}}]{{more}}}""";

    [Fact]
    [Conformance(15)]
    public async Task Given_binary_inputs_and_no_outputs_When_binary_is_asked_for_Then_every_byte_of_the_answer_is_accounted_for()
    {
        var answer = await fixture.Client.InferFramedAsync("pair", Pair(""","parameters":{"binary_data_output":true},"id":"42" """), A, B);

        var split = await answer.SplitAsync();
        Assert.Equal(("pair", "42"), ((string?)split.Json["model_name"], (string?)split.Json["id"]));
        Assert.Equal(Framing.Floats(11, 22, 33, 44), split.Tensors["SUM"]);
        Assert.Equal(Framing.Floats(-9, -18, -27, -36), split.Tensors["DIFF"]);
        Assert.Equal("[1,4]", split.Output("SUM")["shape"]!.ToJsonString());
        Assert.Equal("FP32", (string?)split.Output("SUM")["datatype"]);
    }

    [Theory]
    [Conformance(15, 16)]
    [InlineData("", "json", "json")]
    [InlineData(""","parameters":{"binary_data_output":false}""", "json", "json")]
    [InlineData(""","parameters":{"binary_data_output":true},"outputs":[]""", "binary", "binary")]
    [InlineData(""","parameters":{"binary_data_output":true},"outputs":[{"name":"SUM"},{"name":"DIFF"}]""", "binary", "binary")]
    [InlineData(""","outputs":[{"name":"SUM"},{"name":"DIFF"}],"parameters":{"binary_data_output":true}""", "binary", "binary")]
    [InlineData(""","parameters":{"binary_data_output":true},"outputs":[{"name":"SUM","parameters":{"binary_data":false}},{"name":"DIFF"}]""", "json", "binary")]
    [InlineData(""","outputs":[{"name":"DIFF","parameters":{"binary_data":true}},{"name":"SUM"}]""", "json", "binary")]
    [InlineData(""","outputs":[{"name":"SUM","parameters":{"binary_data":true}},{"name":"DIFF","parameters":{"binary_data":true}}]""", "binary", "binary")]
    [InlineData(""","outputs":[{"name":"SUM","parameters":{"binary_data":false}},{"name":"DIFF"}]""", "json", "json")]
    public async Task Given_outputs_with_settings_When_inferred_Then_each_comes_in_the_form_that_was_asked_for(string more, string sum, string difference)
    {
        var answer = (await fixture.Client.InferFramedAsync("pair", Pair(more), A, B)).MustBe(200);

        if ((sum, difference) == ("json", "json"))
        {
            Assert.Null(answer.Header(Framing.Header));
            Assert.Equal("application/json", answer.Message.Content.Headers.ContentType?.ToString());
            answer.MustGive<float>("SUM", 11, 22, 33, 44);
            return;
        }
        var split = await answer.SplitAsync();
        Assert.Equal(sum == "binary", split.Tensors.ContainsKey("SUM"));
        Assert.Equal(difference == "binary", split.Tensors.ContainsKey("DIFF"));
        foreach (var (name, first) in new[] { ("SUM", 11f), ("DIFF", -9f) })
            Assert.Equal(first, split.Tensors.TryGetValue(name, out var raw) ? BitConverter.ToSingle(raw) : (float)split.Output(name)["data"]![0]!);
    }

    [Theory]
    [Conformance(16)]
    [InlineData("A")]
    [InlineData("B")]
    public async Task Given_one_input_in_JSON_and_one_in_binary_When_inferred_Then_both_are_read(string binary)
    {
        var parts = new[] { ("A", "[1,2,3,4]", A), ("B", "[10,20,30,40]", B) }.Select(i =>
            i.Item1 == binary ? Framing.Input(i.Item1, "FP32", "[1,4]", 16) : $$"""{"name":"{{i.Item1}}","shape":[1,4],"datatype":"FP32","data":{{i.Item2}}}""");

        var answer = await fixture.Client.InferFramedAsync("pair", $$"""{"inputs":[{{string.Join(',', parts)}}]}""", binary == "A" ? A : B);

        answer.MustBe(200).MustGive<float>("DIFF", -9, -18, -27, -36);
    }

    [Fact]
    [Conformance(15)]
    public async Task Given_inputs_in_the_other_order_When_sent_in_binary_Then_the_bytes_follow_the_order_of_the_request()
    {
        var json = $$"""{"inputs":[{{Framing.Input("B", "FP32", "[1,4]", 16)}},{{Framing.Input("A", "FP32", "[1,4]", 16)}}]}""";

        (await fixture.Client.InferFramedAsync("pair", json, B, A)).MustBe(200).MustGive<float>("DIFF", -9, -18, -27, -36);
    }

    [Fact]
    [Conformance(15)]
    public async Task Given_a_header_as_long_as_the_body_When_no_input_is_binary_Then_it_is_plain_JSON() =>
        (await fixture.Client.InferFramedAsync("ident_fp32", Calls.In("FP32", "[2]", "[1,2]"))).MustBe(200).MustGive<float>("OUT", 1, 2);

    [Theory]
    [Conformance(13)]
    [InlineData("ident_fp16", "FP16")]
    [InlineData("ident_bf16", "BF16")]
    public async Task Given_a_datatype_that_JSON_does_not_have_When_sent_in_binary_Then_every_bit_comes_back(string model, string datatype)
    {
        var bytes = Enumerable.Range(0, 1 << 16).SelectMany(i => BitConverter.GetBytes((ushort)i)).ToArray(); // every value that there is

        var answer = await fixture.Client.InferFramedAsync(model, Framing.In(datatype, "[65536]", bytes.Length, ""","parameters":{"binary_data_output":true}"""), bytes);

        Assert.Equal(bytes, (await answer.SplitAsync()).Tensors["OUT"]);
        var refused = (await fixture.Client.InferFramedAsync(model, Framing.In(datatype, "[65536]", bytes.Length), bytes)).MustBe(400, "invalid_tensor");
        Assert.Contains("binary_data", (string?)refused.Json["error"], StringComparison.Ordinal);
    }

    [Fact]
    [Attack(15)]
    [Conformance(14)]
    public async Task Given_NaN_and_infinity_in_binary_When_asked_for_in_binary_Then_every_bit_comes_back_and_as_JSON_400()
    {
        var bytes = new[] { 0x7FC00000u, 0x7F800001u, 0xFFC12345u, 0x7F800000u, 0xFF800000u }.SelectMany(BitConverter.GetBytes).ToArray();

        var answer = await fixture.Client.InferFramedAsync("ident_fp32", Framing.In("FP32", "[5]", 20, ""","parameters":{"binary_data_output":true}"""), bytes);

        Assert.Equal(bytes, (await answer.SplitAsync()).Tensors["OUT"]);
        var refused = (await fixture.Client.InferFramedAsync("ident_fp32", Framing.In("FP32", "[5]", 20), bytes)).MustBe(400, "invalid_tensor");
        Assert.Contains("parameters.binary_data", (string?)refused.Json["error"], StringComparison.Ordinal);
    }

    [Fact]
    [Conformance(14)]
    public async Task Given_a_NaN_in_one_output_When_that_one_is_asked_for_in_binary_Then_the_other_may_be_JSON()
    {
        const string Outputs = ""","outputs":[{"name":"SUM"},{"name":"DIFF","parameters":{"binary_data":true}}]""";

        var split = await (await fixture.Client.InferFramedAsync("pair", Pair(Outputs), Framing.Floats(float.MaxValue, 1, 1, 1), Framing.Floats(float.MinValue, 1, 1, 1))).SplitAsync();

        Assert.Equal("[0,2,2,2]", split.Output("SUM")["data"]!.ToJsonString());
        Assert.Equal(Framing.Floats(float.PositiveInfinity, 0, 0, 0), split.Tensors["DIFF"]);
    }

    [Fact]
    [Attack(22)]
    [Conformance(20)]
    public async Task Given_strings_of_any_bytes_in_binary_When_echoed_Then_they_come_back_and_as_JSON_only_if_they_are_text()
    {
        var bytes = Framing.Strings([], [1], Encoding.ASCII.GetBytes(new string('x', 300)), [0x00, 0xFF], [0xED, 0xA0, 0x80]);
        const string Binary = ""","outputs":[{"name":"OUT","parameters":{"binary_data":true}}]""";

        var answer = await fixture.Client.InferFramedAsync("str", Framing.In("BYTES", "[5]", bytes.Length, Binary), bytes);

        Assert.Equal(bytes, (await answer.SplitAsync()).Tensors["OUT"]);
        var refused = (await fixture.Client.InferFramedAsync("str", Framing.In("BYTES", "[5]", bytes.Length), bytes)).MustBe(400, "invalid_tensor");
        Assert.Contains("UTF-8", (string?)refused.Json["error"], StringComparison.Ordinal);
        var text = Framing.Strings([], [0], Encoding.UTF8.GetBytes("\U0001F980"));
        (await fixture.Client.InferFramedAsync("str", Framing.In("BYTES", "[3]", text.Length), text)).MustBe(200).MustGive("OUT", "", "\u0000", "\U0001F980");
    }

    [Theory]
    [Conformance(21)]
    [InlineData("\U0001F980 \U00010348 crab")]
    [InlineData("ø")]
    public async Task Given_letters_of_several_bytes_in_the_JSON_When_framed_Then_the_header_counts_bytes(string id)
    {
        var json = Framing.In("FP32", "[2]", 8, $$""","id":"{{id}}","parameters":{"binary_data_output":true} """);
        Assert.NotEqual(json.Length, Framing.Length(json));

        var split = await (await fixture.Client.InferFramedAsync("ident_fp32", json, Framing.Floats(1, 2))).SplitAsync();

        Assert.Equal(id, (string?)split.Json["id"]);
        Assert.Equal(Framing.Floats(1, 2), split.Tensors["OUT"]);
    }

    [Theory]
    [Conformance(15)]
    [InlineData("application/octet-stream")]
    [InlineData("application/json")]
    [InlineData("text/plain")]
    public async Task Given_any_media_type_When_the_header_is_there_Then_it_decides(string mediaType)
    {
        var json = Framing.In("FP32", "[1]", 4);

        var answer = await fixture.Client.InferBytesAsync("ident_fp32", Framing.Body(json, Framing.Floats(7)), (Framing.Header, $"{Framing.Length(json)}"), ("Content-Type", mediaType));

        answer.MustBe(200).MustGive<float>("OUT", 7);
    }

    [Theory]
    [Conformance(11)]
    [InlineData("pair", "[0,4]")]
    public async Task Given_no_rows_in_binary_When_inferred_Then_the_outputs_are_empty_and_have_their_size(string model, string shape)
    {
        var json = $$$"""{"inputs":[{{{Framing.Input("A", "FP32", shape, 0)}}},{{{Framing.Input("B", "FP32", shape, 0)}}}],"parameters":{"binary_data_output":true}}""";

        var split = await (await fixture.Client.InferFramedAsync(model, json)).SplitAsync();

        Assert.All((string[])["SUM", "DIFF"], name => Assert.Empty(split.Tensors[name]));
        Assert.Equal("[0,4]", split.Output("SUM")["shape"]!.ToJsonString());
    }

    [Fact]
    public async Task Given_a_large_tensor_When_sent_and_asked_for_in_binary_Then_it_comes_back_whole()
    {
        var bytes = new byte[16 << 20];
        new Random(1).NextBytes(bytes);

        var answer = await fixture.Client.InferFramedAsync("ident_uint8", Framing.In("UINT8", $"[{bytes.Length}]", bytes.Length, ""","parameters":{"binary_data_output":true}"""), bytes);

        var split = await answer.SplitAsync();
        Assert.True(bytes.AsSpan().SequenceEqual(split.Tensors["OUT"]));
    }

    [Theory]
    [Conformance(28)]
    [InlineData("pair", "SUM", "0", "invalid_request")]
    [InlineData("pair", "SUM", "-1", "invalid_request")]
    [InlineData("pair", "SUM", "1.5", "invalid_request")]
    [InlineData("pair", "SUM", "\"2\"", "invalid_request")]
    [InlineData("pair", "SUM", "true", "invalid_request")]
    [InlineData("str", "OUT", "1", "invalid_tensor")]
    public async Task Given_a_number_of_classes_that_can_not_be_When_asked_for_Then_400(string model, string output, string classes, string code)
    {
        var inputs = model == "str" ? """{"name":"IN","datatype":"BYTES","shape":[1],"data":["a"]}""" : string.Join(',', new[] { "A", "B" }.Select(n => $$"""{"name":"{{n}}","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}"""));

        var answer = await fixture.Client.InferTextAsync(model, $$$"""{"inputs":[{{{inputs}}}],"outputs":[{"name":"{{{output}}}","parameters":{"classification":{{{classes}}}}}]}""");

        answer.MustBe(400, code);
    }

    [Theory]
    [Conformance(27)]
    [InlineData("""{"inputs":[@],"parameters":{"binary_data_output":1}}""", "binary_data_output")]
    [InlineData("""{"inputs":[@],"parameters":{"binary_data_output":"true"}}""", "binary_data_output")]
    [InlineData("""{"inputs":[@],"outputs":[{"name":"OUT","parameters":{"binary_data":0}}]}""", "binary_data")]
    [InlineData("""{"inputs":[@],"outputs":[{"name":"OUT","parameters":{"binary_data":"yes"}}]}""", "binary_data")]
    public async Task Given_a_wish_for_binary_that_is_not_true_or_false_When_inferred_Then_400_names_it(string json, string name)
    {
        var answer = await fixture.Client.InferTextAsync("ident_fp32", json.Replace("@", """{"name":"IN","datatype":"FP32","shape":[1],"data":[1]}""", StringComparison.Ordinal));

        Assert.Contains(name, (string?)answer.MustBe(400, "invalid_request").Json["error"], StringComparison.Ordinal);
    }

    [Fact]
    [Conformance(35)]
    public async Task Given_binary_and_respond_async_When_inferred_Then_the_job_gives_the_same_bytes()
    {
        var json = Framing.In("FP32", "[2]", 8, ""","parameters":{"binary_data_output":true}""");
        var body = Framing.Body(json, Framing.Floats(1, float.NaN));
        var sync = await fixture.Client.InferBytesAsync("ident_fp32", body, (Framing.Header, $"{Framing.Length(json)}"));

        var accepted = (await fixture.Client.InferBytesAsync("ident_fp32", body, (Framing.Header, $"{Framing.Length(json)}"), ("Prefer", "respond-async"))).MustBe(202);

        (await fixture.Client.FetchAsync($"{accepted.Header("Location")}?wait=60")).MustBe(200);
        var result = await fixture.Client.FetchAsync($"{accepted.Header("Location")}/result");
        var (split, expected) = (await result.SplitAsync(), await sync.SplitAsync());
        Assert.Equal(expected.Tensors["OUT"], split.Tensors["OUT"]);
        Assert.True(JsonNode.DeepEquals(expected.Json, split.Json));
    }
}
