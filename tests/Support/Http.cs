using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace Millrace.Tests.Support;

/// <summary>An answer with its body as text and, where it is JSON, as a tree.</summary>
public sealed record Answer(HttpStatusCode StatusCode, HttpResponseMessage Message, string Text)
{
    public int Status => (int)StatusCode;

    public JsonNode Json => JsonNode.Parse(Text) ?? throw new InvalidOperationException("The body is null.");

    /// <summary>A header of the answer or of its content; null when absent.</summary>
    public string? Header(string name) =>
        Message.Headers.TryGetValues(name, out var values) || Message.Content.Headers.TryGetValues(name, out values) ? string.Join(", ", values) : null;

    /// <summary>Asserts status and, for a failure, that the body has the shape of its family and this code.</summary>
    public Answer MustBe(int status, string? code = null)
    {
        Assert.True(Status == status, $"Expected {status}, got {Status}: {Text}");
        if (status >= 400)
        {
            if (code is not null)
                Assert.Equal(code, (string?)Json["code"]);
            if (Message.RequestMessage!.RequestUri!.AbsolutePath.StartsWith("/v2", StringComparison.Ordinal))
            {
                Assert.Equal("application/json", Message.Content.Headers.ContentType?.MediaType);
                Assert.False(string.IsNullOrEmpty((string?)Json["error"]));
            }
            else
            {
                Assert.Equal("application/problem+json", Message.Content.Headers.ContentType?.MediaType);
                Assert.Equal(status, (int)Json["status"]!);
                Assert.Equal(Header("X-Request-Id"), (string?)Json["request_id"]);
            }
        }
        return this;
    }
}

public static class HttpExtensions
{
    public static async Task<Answer> AskAsync(this HttpClient client, HttpMethod method, string path, HttpContent? content = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
                request.Content!.Headers.TryAddWithoutValidation(name, value);
        }
        var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        return new Answer(response.StatusCode, response, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    public static Task<Answer> FetchAsync(this HttpClient client, string path, params (string Name, string Value)[] headers) =>
        client.AskAsync(HttpMethod.Get, path, null, headers);

    public static Task<Answer> PostAsync(this HttpClient client, string path, string json, params (string Name, string Value)[] headers) =>
        client.AskAsync(HttpMethod.Post, path, new StringContent(json, Encoding.UTF8, "application/json"), headers);

    public static Task<Answer> PostAsync(this HttpClient client, string path, object body, params (string Name, string Value)[] headers) =>
        client.PostAsync(path, JsonSerializer.Serialize(body), headers);
}

/// <summary>Bodies of requests.</summary>
public static class Bodies
{
    public static object Tensor(string name, string datatype, long[] shape, object data) => new { name, datatype, shape, data };

    public static object Infer(params object[] inputs) => new { inputs };

    /// <summary>For models with one input IN.</summary>
    public static object In(string datatype, params object[] data) => Infer(Tensor("IN", datatype, [data.Length], data));

    public static object Sleep(int milliseconds) => In("INT32", milliseconds);

    public static object Job(string model, object inference, Action<Dictionary<string, object?>>? more = null)
    {
        var body = new Dictionary<string, object?> { ["model"] = model, ["inference"] = inference };
        more?.Invoke(body);
        return body;
    }
}
