using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Millrace.Rollback.Kubernetes;

/// <summary>The four calls that a rollback needs: get and patch an object by its name, patch its scale, create an event.</summary>
internal sealed class KubernetesApi : IDisposable
{
    /// <summary>Who changed a field, in the object's managedFields.</summary>
    private const string FieldManager = "millrace-rollback";

    private const string MergePatch = "application/merge-patch+json";

    /// <summary>Lists are joined by the names of their items, where a merge patch replaces them. Not for custom resources.</summary>
    private const string StrategicPatch = "application/strategic-merge-patch+json";

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly HttpClient _client;
    private readonly RollbackOptions _options;

    public KubernetesApi(RollbackOptions options)
    {
        _options = options;
        var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(5), PooledConnectionLifetime = TimeSpan.FromMinutes(2) };
        if (Path.Combine(options.ServiceAccount, "ca.crt") is var authority && File.Exists(authority))
            handler.SslOptions = TrustOnly(authority);
        _client = new HttpClient(handler) { BaseAddress = new Uri(options.ApiServer), Timeout = Timeout };
    }

    public Task<JsonObject> GetAsync(string path, CancellationToken cancellation) => SendAsync(HttpMethod.Get, path, null, "", cancellation);

    /// <summary>Members that the patch has are set or, where null, removed; others stay. With metadata.resourceVersion in it: only if nobody changed the object since.</summary>
    public Task<JsonObject> MergeAsync(string path, JsonObject patch, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Patch, $"{path}?fieldManager={FieldManager}", patch, MergePatch, cancellation);

    public Task<JsonObject> MergeListsAsync(string path, JsonObject patch, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Patch, $"{path}?fieldManager={FieldManager}", patch, StrategicPatch, cancellation);

    public Task<JsonObject> CreateAsync(string path, JsonObject body, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Post, $"{path}?fieldManager={FieldManager}", body, "application/json", cancellation);

    public void Dispose() => _client.Dispose();

    private async Task<JsonObject> SendAsync(HttpMethod method, string path, JsonObject? body, string type, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), new MediaTypeHeaderValue(type));
        try
        {
            if (Path.Combine(_options.ServiceAccount, "token") is var token && File.Exists(token))
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(token, cancellation)).Trim());
            using var answer = await _client.SendAsync(request, cancellation);
            var text = await answer.Content.ReadAsStringAsync(cancellation);
            if (!answer.IsSuccessStatusCode)
                throw new KubernetesException(answer.StatusCode, $"{method} {path.Split('?')[0]}: {(int)answer.StatusCode} {Message(text)}");
            return JsonNode.Parse(text) as JsonObject ?? throw new KubernetesException(answer.StatusCode, $"{method} {path}: the answer is no object");
        }
        catch (Exception error) when (error is HttpRequestException or IOException or JsonException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            throw new KubernetesException(null, $"The API server at {_options.ApiServer} gave no answer: {error.Message}", error);
        }
    }

    /// <summary>Of the Status object that the API server sends with a refusal.</summary>
    private static string Message(string text)
    {
        try { return (string?)JsonNode.Parse(text)?["message"] ?? ""; }
        catch (Exception error) when (error is JsonException or InvalidOperationException) { return text[..Math.Min(text.Length, 200)]; }
    }

    /// <summary>The cluster's own authority and no other.</summary>
    private static SslClientAuthenticationOptions TrustOnly(string authority)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPemFile(authority);
        return new SslClientAuthenticationOptions { CertificateChainPolicy = policy };
    }
}
