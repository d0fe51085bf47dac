using System.Text.Json;
using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Drill;

/// <summary>Prometheus with the product's rules, and Alertmanager with the product's routes, as processes on loopback.</summary>
internal sealed class Monitoring : IAsyncDisposable
{
    private readonly Node _prometheus;
    private readonly Node _alertmanager;
    private readonly string _folder;
    private readonly HttpClient _client;

    private Monitoring(Node prometheus, Node alertmanager, string folder, int port)
    {
        (_prometheus, _alertmanager, _folder) = (prometheus, alertmanager, folder);
        _client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromSeconds(10) };
    }

    /// <param name="rules">The file that is scaled already; it lies in the folder.</param>
    public static async Task<Monitoring> StartAsync(string folder, string rules, string rollbackUrl, string tokenFile, int brokerMetricsPort)
    {
        var (port, alertmanagerPort) = (Node.FreePort(), Node.FreePort());
        var routes = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "deploy", "observability", "alertmanager", "alertmanager.yml"));
        await File.WriteAllTextAsync(Path.Combine(folder, "alertmanager.yml"), routes
            .Replace("http://rollback:8080/alerts", $"{rollbackUrl}/alerts", StringComparison.Ordinal)
            .Replace("/run/secrets/MILLRACE__ROLLBACK__TOKEN", tokenFile, StringComparison.Ordinal));
        await File.WriteAllTextAsync(Path.Combine(folder, "prometheus.yml"), $$"""
            global: {scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}
            rule_files: [{{rules}}]
            alerting:
              alertmanagers:
              - static_configs: [{targets: ['127.0.0.1:{{alertmanagerPort}}']}]
            scrape_configs:
            - job_name: millrace-api
              file_sd_configs: [{files: [api.json]}]
            - job_name: millrace-worker
              file_sd_configs: [{files: [worker.json]}]
            - job_name: rabbitmq
              static_configs: [{targets: ['127.0.0.1:{{brokerMetricsPort}}']}]
            """);
        await File.WriteAllTextAsync(Path.Combine(folder, "api.json"), "[]");
        await File.WriteAllTextAsync(Path.Combine(folder, "worker.json"), "[]");
        var none = new Dictionary<string, string>();
        var prometheus = Node.Start("prometheus", folder, "prometheus",
            ["--config.file=prometheus.yml", $"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.path=prometheus-data", "--log.level=warn", "--rules.alert.resend-delay=5s"], none);
        var alertmanager = Node.Start("alertmanager", folder, "prometheus-alertmanager",
            ["--config.file=alertmanager.yml", $"--web.listen-address=127.0.0.1:{alertmanagerPort}", "--cluster.listen-address=", "--storage.path=alertmanager-data"], none);
        var monitoring = new Monitoring(prometheus, alertmanager, folder, port);
        await Waiting.UntilAsync(async () => await monitoring.IsReadyAsync(), "Prometheus is ready");
        return monitoring;
    }

    /// <summary>As service discovery would tell it.</summary>
    public void SetTargets(IEnumerable<Pod> pods)
    {
        foreach (var kind in pods.GroupBy(p => p.Deployment.Contains("worker", StringComparison.Ordinal) ? "worker" : "api"))
        {
            var text = JsonSerializer.Serialize(kind.OrderBy(p => p.ManagementPort).Select(p => new
            {
                targets = new[] { $"127.0.0.1:{p.ManagementPort}" },
                labels = new { version = p.Version, slot = p.Deployment[(p.Deployment.LastIndexOf('-') + 1)..] },
            }));
            var file = Path.Combine(_folder, $"{kind.Key}.json");
            if (File.ReadAllText(file) == text)
                continue;
            File.WriteAllText(file + ".new", text);
            File.Move(file + ".new", file, overwrite: true);
        }
    }

    /// <summary>Labels of all alerts that fire now.</summary>
    public async Task<IReadOnlyList<JsonObject>> FiringAsync() =>
        [.. (await AskAsync("/api/v1/alerts"))["data"]!["alerts"]!.AsArray().Where(a => (string?)a!["state"] == "firing").Select(a => a!["labels"]!.AsObject())];

    /// <summary>The first value of an expression; null when there is none.</summary>
    public async Task<double?> QueryAsync(string expression)
    {
        var result = (await AskAsync($"/api/v1/query?query={Uri.EscapeDataString(expression)}"))["data"]!["result"]!.AsArray();
        return result.Count == 0 ? null : double.Parse((string)result[0]!["value"]![1]!, System.Globalization.CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _prometheus.DisposeAsync();
        await _alertmanager.DisposeAsync();
    }

    private async Task<JsonNode> AskAsync(string path) => JsonNode.Parse(await _client.GetStringAsync(path))!;

    private async Task<bool> IsReadyAsync()
    {
        if (!_prometheus.IsAlive || !_alertmanager.IsAlive)
            throw new InvalidOperationException($"Prometheus or Alertmanager did not start; see {_folder}/prometheus.log and alertmanager.log");
        try
        {
            using var answer = await _client.GetAsync("/-/ready");
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException) { return false; }
    }
}
