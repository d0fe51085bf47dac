using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Inference calls, and what their answers hold.</summary>
internal static class Calls
{
    public static Task<Answer> InferAsync(this HttpClient client, string model, object body, params (string Name, string Value)[] headers) =>
        client.PostAsync($"/v2/models/{model}/infer", body, headers);

    /// <param name="json">Sent as it stands.</param>
    public static Task<Answer> InferTextAsync(this HttpClient client, string model, string json, params (string Name, string Value)[] headers) =>
        client.PostAsync($"/v2/models/{model}/infer", json, headers);

    /// <summary>Sends bytes without a Content-Type.</summary>
    public static Task<Answer> InferBytesAsync(this HttpClient client, string model, byte[] body, params (string Name, string Value)[] headers) =>
        client.AskAsync(HttpMethod.Post, $"/v2/models/{model}/infer", new ByteArrayContent(body), headers);

    /// <summary>A request for a model with one input IN; shape and data are JSON as they stand.</summary>
    public static string In(string datatype, string shape, string data) =>
        $$"""{"inputs":[{"name":"IN","datatype":"{{datatype}}","shape":{{shape}},"data":{{data}}}]}""";

    /// <summary>A and B with as many rows of four as the values take.</summary>
    public static object Pair(float[] a, float[] b) =>
        Bodies.Infer(Bodies.Tensor("A", "FP32", [a.Length / 4, 4], a), Bodies.Tensor("B", "FP32", [b.Length / 4, 4], b));

    public static object Rows(int rows, params float[] data) => Bodies.Infer(Bodies.Tensor("IN", "FP32", [rows, data.Length / rows], data));

    public static object Sleep(int milliseconds, object parameters) =>
        new { parameters, inputs = new[] { Bodies.Tensor("IN", "INT32", [1], new[] { milliseconds }) } };

    public static string[] OutputNames(this Answer answer) => answer.Json["outputs"]!.AsArray().Select(o => (string)o!["name"]!).ToArray();

    public static JsonNode Output(this Answer answer, string name) => answer.Json["outputs"]!.AsArray().Single(o => (string?)o!["name"] == name)!;

    public static T[] Data<T>(this Answer answer, string output) => answer.Output(output)["data"]!.AsArray().Select(v => v!.GetValue<T>()).ToArray();

    public static void MustGive<T>(this Answer answer, string output, params T[] expected) => Assert.Equal(expected, answer.Data<T>(output));

    public static long[] Shape(this Answer answer, string output) =>
        answer.Output(output)["shape"]!.AsArray().Select(v => v!.GetValue<long>()).ToArray();

    /// <summary>What ran together, run by run, in the order of their starts.</summary>
    public static IReadOnlyList<RunRequest>[] Runs(this MillraceServer server, string model) =>
        server.Ledger().Where(l => l.What == "start" && l.Model == model).Select(l => l.Requests).ToArray();

    public static int[] RunSizes(this MillraceServer server, string model) => server.Runs(model).Select(r => r.Count).ToArray();

    /// <summary>Starts a request and returns when its run has begun; the request goes on.</summary>
    public static async Task<Task<Answer>> OccupyAsync(this MillraceServer server, string model, int milliseconds)
    {
        var before = server.Runs(model).Length;
        var blocker = server.Client.InferAsync(model, Bodies.Sleep(milliseconds));
        await Waiting.UntilAsync(() => server.Runs(model).Length > before, "the blocking run starts");
        return blocker;
    }
}
