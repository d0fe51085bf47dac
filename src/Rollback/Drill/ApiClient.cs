using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Millrace.Rollback.Drill;

/// <summary>The API by its Service. Each request has a connection of its own, so that it goes where the Service says now.</summary>
internal sealed class ApiClient : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);
    private readonly HttpClient _client;
    private readonly string _model, _inference, _job;

    public ApiClient(DrillOptions options)
    {
        (_model, _inference, _job) = (options.Model, options.Inference, options.Job);
        _client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { BaseAddress = new Uri(options.Api), Timeout = Timeout };
        _client.DefaultRequestHeaders.ConnectionClose = true;
        if (options.Key.Length > 0)
            _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", options.Key);
    }

    public async Task<bool> IsChaosEnabledAsync(CancellationToken cancellation) => (bool?)(await GetAsync("/v1/chaos", cancellation))["enabled"] == true;

    public async Task OrderAsync(JsonObject order, CancellationToken cancellation)
    {
        using var answer = await _client.PostAsync("/v1/chaos", Json(order.ToJsonString()), cancellation);
        await MustBeWellAsync(answer, cancellation);
    }

    public async Task EndChaosAsync(CancellationToken cancellation)
    {
        using var answer = await _client.DeleteAsync("/v1/chaos", cancellation);
        await MustBeWellAsync(answer, cancellation);
    }

    public async Task<string?> BrokerCircuitAsync(CancellationToken cancellation) => (string?)(await GetAsync("/v1/admission", cancellation))["circuits"]?["broker"];

    /// <returns>The job's id; null when it may or may not be accepted, so that it is to be sent again under its key.</returns>
    /// <exception cref="HttpRequestException">It is refused for good.</exception>
    public async Task<string?> SubmitAsync(string key, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/jobs") { Content = Json(_job) };
        request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        try
        {
            using var answer = await _client.SendAsync(request, cancellation);
            if (answer.StatusCode is HttpStatusCode.TooManyRequests || (int)answer.StatusCode >= 500)
                return null;
            await MustBeWellAsync(answer, cancellation);
            return (string?)(await answer.Content.ReadFromJsonAsync(RollbackJson.Default.JsonNode, cancellation))?["id"];
        }
        catch (Exception error) when (error is HttpRequestException { StatusCode: null } or IOException or OperationCanceledException && !cancellation.IsCancellationRequested) { return null; }
    }

    /// <returns>Whether it was answered well.</returns>
    public async Task<bool> CallAsync(CancellationToken cancellation)
    {
        try
        {
            using var answer = await _client.PostAsync($"/v2/models/{Uri.EscapeDataString(_model)}/infer", Json(_inference), cancellation);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException && !cancellation.IsCancellationRequested) { return false; }
    }

    /// <returns>Its state; <c>unknown</c> when there is no such job; null when the API can't say now.</returns>
    public async Task<string?> StateAsync(string job, CancellationToken cancellation)
    {
        try { return (string?)(await GetAsync($"/v1/jobs/{Uri.EscapeDataString(job)}", cancellation))["state"]; }
        catch (HttpRequestException error) when (error.StatusCode == HttpStatusCode.NotFound) { return "unknown"; }
        catch (Exception error) when (Faults.Outside(error, cancellation)) { return null; }
    }

    public void Dispose() => _client.Dispose();

    private async Task<JsonNode> GetAsync(string path, CancellationToken cancellation)
    {
        using var answer = await _client.GetAsync(path, cancellation);
        await MustBeWellAsync(answer, cancellation);
        return await answer.Content.ReadFromJsonAsync(RollbackJson.Default.JsonNode, cancellation) ?? throw new HttpRequestException($"{path}: the answer is empty");
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private static async Task MustBeWellAsync(HttpResponseMessage answer, CancellationToken cancellation)
    {
        if (answer.IsSuccessStatusCode)
            return;
        var text = await answer.Content.ReadAsStringAsync(cancellation);
        throw new HttpRequestException(
            $"{answer.RequestMessage!.Method} {answer.RequestMessage.RequestUri!.AbsolutePath}: {(int)answer.StatusCode} {text[..Math.Min(text.Length, 200)]}", null, answer.StatusCode);
    }
}
