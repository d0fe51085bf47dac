using System.Globalization;
using System.Text.Json.Nodes;

namespace Millrace.Rollback.Drill;

/// <summary>What Prometheus and the rollback service tell.</summary>
internal sealed class Figures : IDisposable
{
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(10) };
    private readonly string _namespace;
    private readonly Uri _prometheus, _rollback;

    public Figures(DrillOptions options) => (_namespace, _prometheus, _rollback) = (options.Namespace, Folder(options.Prometheus), Folder(options.Rollback));

    public async Task<bool> IsFiringAsync(string alert, CancellationToken cancellation) =>
        (await AskAsync("api/v1/alerts", cancellation))["data"]!["alerts"]!.AsArray().Any(a => (string?)a!["state"] == "firing" && (string?)a["labels"]!["alertname"] == alert
            && (_namespace.Length == 0 || (string?)a["labels"]!["namespace"] == _namespace));

    /// <returns>The slot that answers most requests; null when no series has one.</returns>
    public async Task<string?> SlotAsync(CancellationToken cancellation) =>
        (string?)(await QueryAsync($$"""topk(1, sum by (slot) (increase(millrace_http_requests_total{{{Labels("""job="millrace-api",lane=~"sync|submit",slot!="" """)}}}[2m])) > 0)""", cancellation))?["metric"]?["slot"];

    public async Task<bool> IsChaosOverAsync(CancellationToken cancellation) =>
        Number(await QueryAsync($$"""max(millrace_chaos_active{{{Labels("""job=~"millrace-.*" """)}}})""", cancellation)) == 0;

    /// <summary>Over the last minute, of what came to an answer.</summary>
    public async Task<Measures> MeasureAsync(CancellationToken cancellation)
    {
        var requests = $$"""millrace_http_requests_total{{{Labels("""job="millrace-api",shed="false" """)}}}""";
        var p95 = await QueryAsync(
            $$"""histogram_quantile(0.95, sum by (le) (rate(millrace_http_request_duration_seconds_bucket{{{Labels("""job="millrace-api",lane=~"sync|submit" """)}}}[1m])))""", cancellation);
        var errors = await QueryAsync($$"""(sum(rate({{requests.Replace("}", ",code=~\"5..\"}", StringComparison.Ordinal)}}[1m])) or vector(0)) / sum(rate({{requests}}[1m]))""", cancellation);
        return new Measures(Number(p95), Number(errors));
    }

    /// <summary>Rollbacks that came to their end, since the service began.</summary>
    public async Task<double> RollbacksAsync(CancellationToken cancellation)
    {
        const string series = "millrace_rollbacks_total{outcome=\"rolled_back\"} ";
        var line = (await _client.GetStringAsync(new Uri(_rollback, "metrics"), cancellation)).Split('\n').FirstOrDefault(l => l.StartsWith(series, StringComparison.Ordinal))
            ?? throw new HttpRequestException($"{_rollback}metrics does not tell millrace_rollbacks_total");
        return double.Parse(line[series.Length..], CultureInfo.InvariantCulture);
    }

    public void Dispose() => _client.Dispose();

    private static Uri Folder(string url) => new(url.TrimEnd('/') + "/"); // Prometheus may be served below a path

    private string Labels(string labels) => _namespace.Length == 0 ? labels.TrimEnd() : $"{labels.TrimEnd()},namespace=\"{_namespace}\"";

    private static double? Number(JsonNode? sample) =>
        sample is not null && double.Parse((string)sample["value"]![1]!, CultureInfo.InvariantCulture) is var number && double.IsFinite(number) ? number : null;

    /// <returns>The first sample; null when there is none.</returns>
    private async Task<JsonNode?> QueryAsync(string expression, CancellationToken cancellation) =>
        (await AskAsync($"api/v1/query?query={Uri.EscapeDataString(expression)}", cancellation))["data"]!["result"]!.AsArray().FirstOrDefault();

    private async Task<JsonNode> AskAsync(string path, CancellationToken cancellation) =>
        await _client.GetFromJsonAsync(new Uri(_prometheus, path), RollbackJson.Default.JsonNode, cancellation) ?? throw new HttpRequestException($"{_prometheus}{path}: the answer is empty");
}

/// <param name="P95">Seconds.</param>
/// <param name="Errors">Share of answers that are 5xx.</param>
internal sealed record Measures(double? P95, double? Errors);
