using System.Text;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Strings on their way in, through the model and out.</summary>
public sealed class BytesTests(ServerFixture fixture)
{
    /// <summary>A good request without its first brace.</summary>
    private static readonly string Rest = Calls.In("BYTES", "[1]", """["a"]""")[1..];

    [Fact]
    [Conformance(6)]
    public async Task Given_strings_of_all_kinds_When_echoed_Then_they_are_equal()
    {
        string[] texts =
        [
            "", "a", "\U0001F980\U00010348", "\u0000", "a\u0000b", "\"\\/\b\f\n\r\t", "\u007f\u0080\uffff", "\u2028</script>", new string('x', 300),
        ];

        var answer = (await fixture.Client.InferAsync("str", Bodies.In("BYTES", texts))).MustBe(200);

        Assert.Equal(texts, answer.Data<string>("OUT"));
        Assert.Equal("BYTES", (string?)answer.Output("OUT")["datatype"]);
        Assert.Equal([texts.Length], answer.Shape("OUT"));
    }

    [Theory]
    [Attack(22)]
    [Conformance(6)]
    [InlineData(@"""\ud83e\udd80""", "\U0001F980")]
    [InlineData(@"""\u0000""", "\u0000")]
    [InlineData(@"""\u0041\/\n""", "A/\n")]
    public async Task Given_escapes_When_echoed_Then_the_text_that_they_stand_for_comes_back(string element, string text) =>
        (await fixture.Client.InferTextAsync("str", Calls.In("BYTES", "[1]", $"[{element}]"))).MustBe(200).MustGive<string>("OUT", text);

    [Fact]
    [Conformance(7)]
    public async Task Given_many_long_strings_When_echoed_Then_each_comes_back_in_its_place()
    {
        var texts = Enumerable.Range(0, 2000).Select(i => new string((char)('a' + (i % 26)), i)).ToArray();

        Assert.Equal(texts, (await fixture.Client.InferAsync("str", Bodies.In("BYTES", texts))).MustBe(200).Data<string>("OUT"));
    }

    [Theory]
    [Attack(22)]
    [Conformance(26)]
    [InlineData(@"\ud800")]
    [InlineData(@"\udc00")]
    [InlineData(@"a\ud800b")]
    [InlineData(@"\udc00\ud800")]
    public async Task Given_half_a_surrogate_pair_When_in_a_string_or_an_id_or_a_name_Then_400(string half)
    {
        string[] bodies =
        [
            Calls.In("BYTES", "[1]", $"[\"{half}\"]"),
            $$"""{"id":"{{half}}",{{Rest}}""",
            $$"""{"inputs":[{"name":"{{half}}","datatype":"BYTES","shape":[1],"data":["a"]}]}""",
            $$"""{"inputs":[{"name":"IN","datatype":"{{half}}","shape":[1],"data":["a"]}]}""",
            $$"""{"outputs":[{"name":"{{half}}"}],{{Rest}}""",
        ];
        foreach (var body in bodies)
            (await fixture.Client.InferTextAsync("str", body)).MustBe(400);
    }

    [Theory]
    [Conformance(26)]
    [InlineData("""{"\ud800":1,""")]
    [InlineData("""{"x":"\ud800",""")]
    [InlineData("""{"parameters":{"\ud800":1},""")]
    [InlineData("""{"parameters":{"x":"\ud800"},""")]
    public async Task Given_half_a_surrogate_pair_in_what_is_ignored_When_inferred_Then_200_or_400(string start)
    {
        var answer = await fixture.Client.InferTextAsync("str", start + Rest);

        answer.MustBe(answer.Status == 200 ? 200 : 400);
    }

    [Theory]
    [Attack(22)]
    [Conformance(26)]
    [InlineData(new byte[] { 0xFF })]
    [InlineData(new byte[] { 0xC0, 0x80 })] // an overlong form of U+0000
    [InlineData(new byte[] { 0xED, 0xA0, 0x80 })] // a surrogate
    [InlineData(new byte[] { 0xF0, 0x9F, 0xA6 })] // the last byte is missing
    [InlineData(new byte[] { 0xF4, 0x90, 0x80, 0x80 })] // past U+10FFFF
    [InlineData(new byte[] { 0x00 })] // a bare control character
    public async Task Given_bytes_that_are_not_UTF_8_text_When_in_a_string_or_an_id_Then_400(byte[] bytes)
    {
        (await fixture.Client.InferBytesAsync("str", With(Calls.In("BYTES", "[1]", """["@"]"""), bytes))).MustBe(400);
        (await fixture.Client.InferBytesAsync("str", With("""{"id":"@",""" + Rest, bytes))).MustBe(400);
    }

    [Theory]
    [Conformance(12)]
    [InlineData("1")]
    [InlineData("null")]
    [InlineData("true")]
    [InlineData("{}")]
    public async Task Given_an_element_that_is_no_string_When_inferred_Then_400(string element) =>
        (await fixture.Client.InferTextAsync("str", Calls.In("BYTES", "[2]", $"[\"a\",{element}]"))).MustBe(400, "invalid_tensor");

    [Theory]
    [Conformance(6)]
    [InlineData("""{"data":["x","y"],"name":"IN","datatype":"BYTES","shape":[2]}""")]
    [InlineData("""{"name":"IN","data":["x","y"],"datatype":"BYTES","shape":[2]}""")]
    [InlineData("""{"shape":[2],"datatype":"BYTES","data":["x","y"],"name":"IN"}""")]
    [InlineData("""{"shape":[2],"name":"IN","data":[["x"],["y"]],"datatype":"BYTES"}""")]
    public async Task Given_data_before_what_describes_it_When_inferred_Then_the_order_does_not_matter(string input) =>
        (await fixture.Client.InferTextAsync("str", $$"""{"inputs":[{{input}}]}""")).MustBe(200).MustGive<string>("OUT", "x", "y");

    [Theory]
    [Conformance(9)]
    [InlineData("""{"data":["x"],"name":"IN","datatype":"BYTES","shape":[2]}""")]
    [InlineData("""{"data":["x","y","z"],"name":"IN","datatype":"BYTES","shape":[2]}""")]
    [InlineData("""{"data":[["x","y"],"z"],"name":"IN","datatype":"BYTES","shape":[3]}""")]
    [InlineData("""{"data":null,"name":"IN","datatype":"BYTES","shape":[1]}""")]
    [InlineData("""{"data":["x"],"name":"IN","datatype":"BYTES","shape":[4294967296]}""")]
    public async Task Given_data_before_what_describes_it_When_it_does_not_fit_Then_400_all_the_same(string input) =>
        (await fixture.Client.InferTextAsync("str", $$"""{"inputs":[{{input}}]}""")).MustBe(400, "invalid_tensor");

    private static byte[] With(string json, byte[] bytes)
    {
        var parts = json.Split('@');
        return [.. Encoding.UTF8.GetBytes(parts[0]), .. bytes, .. Encoding.UTF8.GetBytes(parts[1])];
    }
}
