using System.Globalization;
using System.Text;
using System.Text.Json;
using Millrace.Conformance.Tests.Cases;
using Millrace.Hosting.Inference;

namespace Millrace.Conformance.Tests.Transports;

/// <summary><c>/v2/models/{model}/infer</c> with the tensors behind the JSON, as the common clients send them: no Content-Type, and either all outputs in binary or each one asked for.</summary>
/// <remarks>Source: binary tensor data extension.</remarks>
internal sealed class BinaryTransport(HttpClient client) : ITransport
{
    private const string HeaderLength = "Inference-Header-Content-Length";

    public async Task<Reply> AskAsync(string model, Case asked) => await AskAsync(model, asked, null);

    /// <param name="outputs">Their names, to be asked for one by one; null for all by one parameter.</param>
    public async Task<Reply> AskAsync(string model, Case asked, IReadOnlyList<string>? outputs)
    {
        var (body, header) = Frame(asked, outputs);
        using var content = new ByteArrayContent(body);
        content.Headers.Add(HeaderLength, header.ToString(CultureInfo.InvariantCulture));
        using var response = await client.PostAsync($"/v2/models/{model}/infer", content, TestContext.Current.CancellationToken);
        var bytes = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        return (int)response.StatusCode == 200 ? Read(response, bytes) : new Reply.Refused((int)response.StatusCode, Encoding.UTF8.GetString(bytes));
    }

    private static (byte[] Body, int Header) Frame(Case asked, IReadOnlyList<string>? outputs)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, JsonTensors.Writing))
        {
            json.WriteStartObject();
            json.WriteStartArray("inputs");
            foreach (var input in asked.Inputs)
            {
                json.WriteStartObject();
                JsonTransport.WriteHead(json, input);
                if (IsBinary(asked, input))
                    WriteParameter(json, () => json.WriteNumber("binary_data_size", input.Data.Length));
                else
                    JsonTensors.WriteData(json, input, nested: true);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            if (outputs is null)
                WriteParameter(json, () => json.WriteBoolean("binary_data_output", true));
            else
                WriteOutputs(json, outputs);
            json.WriteEndObject();
        }
        var header = (int)bytes.Length;
        foreach (var input in asked.Inputs.Where(i => IsBinary(asked, i)))
            bytes.Write(input.Data.Span);
        return (bytes.ToArray(), header);
    }

    /// <summary>For odd seeds every other input stays in the JSON, where it can.</summary>
    private static bool IsBinary(Case asked, Tensor input) => asked.Seed % 2 == 0 || asked.Inputs.TakeWhile(i => i != input).Count() % 2 == 0 || !input.InJson();

    private static void WriteOutputs(Utf8JsonWriter json, IReadOnlyList<string> outputs)
    {
        json.WriteStartArray("outputs");
        foreach (var output in outputs)
        {
            json.WriteStartObject();
            json.WriteString("name", output);
            WriteParameter(json, () => json.WriteBoolean("binary_data", true));
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteParameter(Utf8JsonWriter json, Action write)
    {
        json.WriteStartObject("parameters");
        write();
        json.WriteEndObject();
    }

    /// <summary>Every output must be in binary, their sizes must be the rest of the body, and the header must be where the JSON ends.</summary>
    public static Reply.Answered Read(HttpResponseMessage response, byte[] body)
    {
        Assert.Equal("application/octet-stream", response.Content.Headers.ContentType?.MediaType);
        var values = response.Content.Headers.TryGetValues(HeaderLength, out var found) ? found : response.Headers.GetValues(HeaderLength);
        var at = int.Parse(values.Single(), NumberStyles.None, CultureInfo.InvariantCulture);
        using var answer = JsonDocument.Parse(body.AsMemory(0, at));
        var outputs = new List<Tensor>();
        foreach (var output in answer.RootElement.GetProperty("outputs").EnumerateArray())
        {
            Assert.False(output.TryGetProperty("data", out _), "An output in binary has data in the JSON too.");
            var size = output.GetProperty("parameters").GetProperty("binary_data_size").GetInt32();
            var (name, datatype, shape) = JsonTensors.ReadHead(output);
            outputs.Add(new Tensor(name, datatype, shape, body.AsMemory(at, size)));
            at += size;
        }
        Assert.Equal(body.Length, at);
        return new Reply.Answered(answer.RootElement.GetProperty("model_name").GetString()!, answer.RootElement.GetProperty("model_version").GetString()!, outputs);
    }
}
