using System.Net.Http.Headers;
using System.Text.Json;
using Millrace.Conformance.Tests.Cases;
using Millrace.Hosting.Inference;

namespace Millrace.Conformance.Tests.Transports;

/// <summary><c>/v2/models/{model}/infer</c>, all in JSON; nested for odd seeds, flat for even ones.</summary>
internal sealed class JsonTransport(HttpClient client) : ITransport
{
    public async Task<Reply> AskAsync(string model, Case asked)
    {
        using var body = new ByteArrayContent(Body(asked));
        body.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var response = await client.PostAsync($"/v2/models/{model}/infer", body, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return (int)response.StatusCode == 200 ? Read(text) : new Reply.Refused((int)response.StatusCode, text);
    }

    /// <summary>The inference request alone, as a job holds it too.</summary>
    public static byte[] Body(Case asked)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, JsonTensors.Writing))
        {
            json.WriteStartObject();
            json.WriteStartArray("inputs");
            foreach (var input in asked.Inputs)
            {
                json.WriteStartObject();
                WriteHead(json, input);
                JsonTensors.WriteData(json, input, nested: asked.Seed % 2 == 1);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return bytes.ToArray();
    }

    public static void WriteHead(Utf8JsonWriter json, Tensor tensor)
    {
        json.WriteString("name", tensor.Name);
        json.WriteString("datatype", tensor.Datatype.Name());
        json.WriteStartArray("shape");
        foreach (var dimension in tensor.Shape)
            json.WriteNumberValue(dimension);
        json.WriteEndArray();
    }

    public static Reply.Answered Read(string text)
    {
        using var answer = JsonDocument.Parse(text);
        return new Reply.Answered(
            answer.RootElement.GetProperty("model_name").GetString()!, answer.RootElement.GetProperty("model_version").GetString()!,
            answer.RootElement.GetProperty("outputs").EnumerateArray().Select(JsonTensors.Read).ToArray());
    }
}
