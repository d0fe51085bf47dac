using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Millrace.Api.Tests.Inference;

/// <summary>Calls as tritonclient.http makes them, and answers as it reads them: no Content-Type; binary unless told otherwise; the header counts the JSON before it is compressed;
/// nothing but 200 is success; an error is the member <c>error</c>.</summary>
/// <remarks>Source: triton-inference-server/client, src/python/library/tritonclient/http.</remarks>
internal sealed class TritonClient(HttpClient client)
{
    private static readonly JsonSerializerOptions Compact = new() { Encoder = JavaScriptEncoder.Default };

    /// <param name="outputs">None: all of them, in binary.</param>
    /// <exception cref="TritonException">The status is not 200.</exception>
    public async Task<TritonResult> InferAsync(
        string model, IReadOnlyList<TritonInput> inputs, IReadOnlyList<TritonOutput>? outputs = null, string version = "", string id = "", int priority = 0, long? timeout = null,
        string? requestCoding = null, string? answerCoding = null, IReadOnlyDictionary<string, JsonNode?>? parameters = null)
    {
        var (body, jsonLength) = Body(inputs, outputs, id, priority, timeout, parameters);
        var path = version.Length > 0 ? $"/v2/models/{Quote(model)}/versions/{version}/infer" : $"/v2/models/{Quote(model)}/infer";
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(Encode(body, requestCoding)) };
        if (requestCoding is not null)
            request.Content.Headers.ContentEncoding.Add(requestCoding);
        if (answerCoding is not null)
            request.Headers.TryAddWithoutValidation("Accept-Encoding", answerCoding);
        if (jsonLength is { } length)
            request.Headers.Add(Framing.Header, $"{length}");
        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        var content = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        if (response.StatusCode != HttpStatusCode.OK)
            throw new TritonException((string)JsonNode.Parse(content)!["error"]!, $"{(int)response.StatusCode}");
        var coding = response.Content.Headers.ContentEncoding.SingleOrDefault();
        return new TritonResult(Decode(content, coding), response.Headers.TryGetValues(Framing.Header, out var values) ? int.Parse(values.Single(), System.Globalization.CultureInfo.InvariantCulture) : null, coding);
    }

    private static (byte[] Body, int? JsonLength) Body(
        IReadOnlyList<TritonInput> inputs, IReadOnlyList<TritonOutput>? outputs, string id, int priority, long? timeout, IReadOnlyDictionary<string, JsonNode?>? custom)
    {
        var request = new JsonObject();
        var parameters = new JsonObject();
        if (id.Length > 0)
            request["id"] = id;
        if (priority != 0)
            parameters["priority"] = priority;
        if (timeout is not null)
            parameters["timeout"] = timeout;
        request["inputs"] = new JsonArray(inputs.Select(i => (JsonNode?)i.ToJson()).ToArray());
        if (outputs is { Count: > 0 })
            request["outputs"] = new JsonArray(outputs.Select(o => (JsonNode?)o.ToJson()).ToArray());
        else
            parameters["binary_data_output"] = true;
        foreach (var (name, value) in custom ?? new Dictionary<string, JsonNode?>())
            parameters[name] = value?.DeepClone();
        if (parameters.Count > 0)
            request["parameters"] = parameters;
        var json = Encoding.UTF8.GetBytes(request.ToJsonString(Compact));
        var raw = inputs.Where(i => i.Raw is not null).ToArray();
        return raw.Length == 0 ? (json, null) : ([.. json, .. raw.SelectMany(i => i.Raw!)], json.Length);
    }

    /// <summary>urllib's quote: the slash stays.</summary>
    private static string Quote(string model) => string.Join('/', model.Split('/').Select(Uri.EscapeDataString));

    private static byte[] Encode(byte[] body, string? coding)
    {
        if (coding is null)
            return body;
        var target = new MemoryStream();
        using (Stream stream = coding == "gzip" ? new GZipStream(target, CompressionLevel.Optimal) : new ZLibStream(target, CompressionLevel.Optimal))
            stream.Write(body);
        return target.ToArray();
    }

    private static byte[] Decode(byte[] body, string? coding)
    {
        if (coding is null)
            return body;
        var target = new MemoryStream();
        using Stream stream = coding == "gzip" ? new GZipStream(new MemoryStream(body), CompressionMode.Decompress) : new ZLibStream(new MemoryStream(body), CompressionMode.Decompress);
        stream.CopyTo(target);
        return target.ToArray();
    }
}

/// <summary>InferInput: binary by default.</summary>
internal sealed record TritonInput(string Name, string Datatype, long[] Shape)
{
    public byte[]? Raw { get; init; }
    public JsonArray? Data { get; init; }

    public static TritonInput Binary(string name, string datatype, long[] shape, byte[] raw) => new(name, datatype, shape) { Raw = raw };

    public static TritonInput Json(string name, string datatype, long[] shape, JsonArray data) => new(name, datatype, shape) { Data = data };

    public JsonObject ToJson()
    {
        var json = new JsonObject { ["name"] = Name, ["shape"] = JsonSerializer.SerializeToNode(Shape), ["datatype"] = Datatype };
        if (Raw is not null)
            json["parameters"] = new JsonObject { ["binary_data_size"] = Raw.Length };
        else
            json["data"] = Data?.DeepClone();
        return json;
    }
}

/// <summary>InferRequestedOutput: binary by default; classes only when there are some.</summary>
internal sealed record TritonOutput(string Name, bool Binary = true, int Classes = 0)
{
    public JsonObject ToJson()
    {
        var parameters = new JsonObject();
        if (Classes != 0)
            parameters["classification"] = Classes;
        parameters["binary_data"] = Binary;
        return new JsonObject { ["name"] = Name, ["parameters"] = parameters };
    }
}

/// <summary>InferResult: the header says where the JSON ends; a tensor's place is the sum of the sizes before it.</summary>
internal sealed class TritonResult
{
    private readonly Dictionary<string, int> _places = [];
    private readonly byte[] _buffer = [];

    public TritonResult(byte[] body, int? headerLength, string? coding)
    {
        (Coding, IsBinary) = (coding, headerLength is not null);
        Response = JsonNode.Parse(body.AsSpan(0, headerLength ?? body.Length))!;
        if (headerLength is not { } length)
            return;
        _buffer = body[length..];
        var at = 0;
        foreach (var output in Response["outputs"]!.AsArray())
        {
            if ((int?)output!["parameters"]?["binary_data_size"] is not { } size)
                continue;
            _places[(string)output["name"]!] = at;
            at += size;
        }
        Assert.Equal(_buffer.Length, at);
    }

    public string? Coding { get; }
    public bool IsBinary { get; }
    public JsonNode Response { get; }
    public string[] Names => Response["outputs"]!.AsArray().Select(o => (string)o!["name"]!).ToArray();

    public JsonNode Output(string name) => Response["outputs"]!.AsArray().Single(o => (string?)o!["name"] == name)!;

    /// <summary>The output in the protocol's binary form, however it came.</summary>
    public byte[] Raw(string name)
    {
        var output = Output(name);
        return (int?)output["parameters"]?["binary_data_size"] is { } size
            ? _buffer[_places[name]..(_places[name] + size)]
            : Elements.ToBytes((string)output["datatype"]!, output["data"]!.AsArray());
    }

    public float[] Floats(string name) => Raw(name).Chunk(4).Select(b => BitConverter.ToSingle(b)).ToArray();
}

/// <summary>InferenceServerException.</summary>
internal sealed class TritonException(string message, string status) : Exception(message)
{
    public string Status => status;
}
