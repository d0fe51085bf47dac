using System.Text;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Bodies that are no request at all: always 400, never 500.</summary>
public sealed class MalformedBodyTests(ServerFixture fixture)
{
    private const string Good = """{"inputs":[{"name":"IN","datatype":"FP32","shape":[1],"data":[1]}]}""";

    [Theory]
    [Conformance(26)]
    [InlineData("", "invalid_json")]
    [InlineData(" \n", "invalid_json")]
    [InlineData("{", "invalid_json")]
    [InlineData("}", "invalid_json")]
    [InlineData("nonsense", "invalid_json")]
    [InlineData("{\"inputs\":[", "invalid_json")]
    [InlineData("{'inputs':[]}", "invalid_json")]
    [InlineData("{\"inputs\":[],}", "invalid_json")]
    [InlineData("{\"inputs\":[] /* none */}", "invalid_json")]
    [InlineData(Good + "x", "invalid_json")]
    [InlineData(Good + Good, "invalid_json")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[NaN]}]}", "invalid_json")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[Infinity]}]}", "invalid_json")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[01]}]}", "invalid_json")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[.5]}]}", "invalid_json")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[+1]}]}", "invalid_json")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[0x1]}]}", "invalid_json")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1}]}", "invalid_json")]
    [InlineData("null", "invalid_request")]
    [InlineData("1", "invalid_request")]
    [InlineData("\"inputs\"", "invalid_request")]
    [InlineData("[]", "invalid_request")]
    [InlineData("[" + Good + "]", "invalid_request")]
    [InlineData("{}", "invalid_request")]
    [InlineData("{\"Inputs\":[]}", "invalid_request")]
    [InlineData("{\"inputs\":null}", "invalid_request")]
    [InlineData("{\"inputs\":{}}", "invalid_request")]
    [InlineData("{\"inputs\":\"IN\"}", "invalid_request")]
    [InlineData("{\"inputs\":[null]}", "invalid_request")]
    [InlineData("{\"inputs\":[[]]}", "invalid_request")]
    [InlineData("{\"inputs\":[1]}", "invalid_request")]
    [InlineData("{\"id\":1,\"inputs\":[]}", "invalid_request")]
    [InlineData("{\"id\":null,\"inputs\":[]}", "invalid_request")]
    [InlineData("{\"inputs\":[{\"name\":1}]}", "invalid_request")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":12}]}", "invalid_request")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":1}]}", "invalid_request")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":null}]}", "invalid_request")]
    public async Task Given_a_body_that_is_no_request_When_sent_Then_400(string body, string code) =>
        (await fixture.Client.InferBytesAsync("ident_fp32", Encoding.UTF8.GetBytes(body))).MustBe(400, code);

    [Theory]
    [Attack(13)]
    [Conformance(26)]
    [InlineData("@")]
    [InlineData("{\"ignored\":@}")]
    [InlineData("{\"parameters\":@,\"inputs\":[]}")]
    [InlineData("{\"parameters\":{\"x\":@},\"inputs\":[]}")]
    [InlineData("{\"inputs\":@}")]
    [InlineData("{\"inputs\":[{\"ignored\":@}]}")]
    [InlineData("{\"inputs\":[{\"data\":@,\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1]}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":@}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":@}]}")]
    [InlineData("{\"outputs\":@,\"inputs\":[]}")]
    public async Task Given_deep_nesting_anywhere_When_sent_Then_400(string json)
    {
        foreach (var depth in (int[])[200, 100_000])
        {
            var arrays = json.Replace("@", new string('[', depth) + new string(']', depth), StringComparison.Ordinal);
            (await fixture.Client.InferTextAsync("ident_fp32", arrays)).MustBe(400);
            var nested = string.Concat(Enumerable.Repeat("{\"a\":", depth)) + "1" + new string('}', depth);
            var objects = json.Replace("@", nested, StringComparison.Ordinal);
            (await fixture.Client.InferTextAsync("ident_fp32", objects)).MustBe(400);
            (await fixture.Client.InferTextAsync("ident_fp32", json.Replace("@", new string('[', depth), StringComparison.Ordinal))).MustBe(400);
        }
    }

    [Fact]
    [Conformance(26)]
    public async Task Given_a_request_cut_off_anywhere_When_sent_Then_400()
    {
        for (var length = 0; length < Good.Length; length++)
            (await fixture.Client.InferTextAsync("ident_fp32", Good[..length])).MustBe(400);
        (await fixture.Client.InferTextAsync("ident_fp32", Good)).MustBe(200);
    }

    [Fact]
    [Conformance(26)]
    public async Task Given_every_byte_in_turn_damaged_When_sent_Then_it_is_200_or_400()
    {
        var good = Encoding.UTF8.GetBytes(Good);
        for (var at = 0; at < good.Length; at++)
        {
            foreach (var damage in (byte[])[0x00, 0xFF, (byte)'"', (byte)'[', (byte)'9', (byte)'\\'])
            {
                var body = good.ToArray();
                body[at] = damage;
                var answer = await fixture.Client.InferBytesAsync("ident_fp32", body);
                answer.MustBe(answer.Status == 200 ? 200 : 400);
            }
        }
    }

    [Theory]
    [Conformance(22)]
    [InlineData(null)]
    [InlineData("text/plain")]
    [InlineData("application/octet-stream")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/json; charset=utf-8")]
    [InlineData("not a media type")]
    public async Task Given_any_or_no_content_type_When_sent_Then_200(string? contentType)
    {
        (string, string)[] headers = contentType is null ? [] : [("Content-Type", contentType)];

        var answer = await fixture.Client.InferBytesAsync("ident_fp32", Encoding.UTF8.GetBytes(Good), headers);

        Assert.Equal([1], answer.MustBe(200).Data<float>("OUT"));
    }
}
