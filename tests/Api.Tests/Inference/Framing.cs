using System.Text;
using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Bodies with tensors after their JSON, put together by hand, so that they can be wrong.</summary>
internal static class Framing
{
    public const string Header = "Inference-Header-Content-Length";

    /// <summary>JSON, then the tensors, nothing between.</summary>
    public static byte[] Body(string json, params byte[][] tensors) => [.. Encoding.UTF8.GetBytes(json), .. tensors.SelectMany(t => t)];

    public static int Length(string json) => Encoding.UTF8.GetByteCount(json);

    /// <summary>An input whose bytes follow the JSON.</summary>
    public static string Input(string name, string datatype, string shape, object size) =>
        $$$"""{"name":"{{{name}}}","shape":{{{shape}}},"datatype":"{{{datatype}}}","parameters":{"binary_data_size":{{{size}}}}}""";

    /// <summary>A request for a model with one input IN; <paramref name="more"/> are further members, each after a comma.</summary>
    public static string In(string datatype, string shape, object size, string more = "") => $$"""{"inputs":[{{Input("IN", datatype, shape, size)}}]{{more}}}""";

    public static Task<Answer> InferFramedAsync(this HttpClient client, string model, string json, params byte[][] tensors) =>
        client.InferBytesAsync(model, Body(json, tensors), (Header, $"{Length(json)}"));

    /// <summary>The body alone is the tensor.</summary>
    public static Task<Answer> InferRawAsync(this HttpClient client, string model, byte[] tensor, params (string Name, string Value)[] headers) =>
        client.InferBytesAsync(model, tensor, [(Header, "0"), .. headers]);

    public static byte[] Floats(params float[] values) => values.SelectMany(BitConverter.GetBytes).ToArray();

    /// <summary>Elements of BYTES, each after its length.</summary>
    public static byte[] Strings(params byte[][] elements) => elements.SelectMany(e => (byte[])[.. BitConverter.GetBytes((uint)e.Length), .. e]).ToArray();

    /// <summary>Splits an answer as its header says, and sees to it that every byte is accounted for.</summary>
    public static async Task<FramedAnswer> SplitAsync(this Answer answer)
    {
        answer.MustBe(200);
        Assert.Equal("application/octet-stream", answer.Message.Content.Headers.ContentType?.ToString());
        return FramedAnswer.Read(await answer.Message.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken), answer.Header(Header));
    }
}

/// <param name="Json">The part before the tensors.</param>
/// <param name="Tensors">By output, those that came in binary.</param>
internal sealed record FramedAnswer(JsonNode Json, IReadOnlyDictionary<string, byte[]> Tensors)
{
    public static FramedAnswer Read(byte[] body, string? header)
    {
        Assert.NotNull(header);
        var at = int.Parse(header, System.Globalization.CultureInfo.InvariantCulture);
        var json = JsonNode.Parse(body.AsSpan(0, at))!; // fails on a byte too many or too few
        var tensors = new Dictionary<string, byte[]>();
        foreach (var output in json["outputs"]!.AsArray())
        {
            if ((int?)output!["parameters"]?["binary_data_size"] is not { } size)
                continue;
            Assert.Null(output["data"]);
            tensors.Add((string)output["name"]!, body[at..(at + size)]);
            at += size;
        }
        Assert.Equal(body.Length, at);
        return new FramedAnswer(json, tensors);
    }

    public JsonNode Output(string name) => Json["outputs"]!.AsArray().Single(o => (string?)o!["name"] == name)!;
}
