using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Millrace.Rehearsal.Scaling;
using Millrace.Tests.Support;

namespace Millrace.Rehearsal.Run;

/// <param name="Messages">Ready and unacknowledged.</param>
internal sealed record QueueFigures(int Messages, int Ready, int Unacknowledged);

/// <summary>RabbitMQ's management interface, read as KEDA reads it: by a user of its own that sees figures and can take nothing.</summary>
internal sealed class BrokerFigures : IDisposable
{
    private const string User = "keda";
    private readonly HttpClient _client;
    private readonly string _virtualHost;

    private BrokerFigures(HttpClient client, string virtualHost) => (_client, _virtualHost) = (client, virtualHost);

    /// <summary>Makes the virtual host of the chart, guest's rights in it, and the user.</summary>
    public static async Task<BrokerFigures> OpenAsync(int port, string virtualHost)
    {
        using var admin = Client(port, "guest", "guest");
        var host = Uri.EscapeDataString(virtualHost);
        var password = Guid.NewGuid().ToString("N");
        await Waiting.UntilAsync(() => AnswersAsync(admin), "the broker's plugin answers", 60); // it does so a little later than the broker takes connections
        await PutAsync(admin, $"/api/vhosts/{host}", new { });
        await PutAsync(admin, $"/api/permissions/{host}/guest", new { configure = ".*", write = ".*", read = ".*" });
        await PutAsync(admin, $"/api/users/{User}", new { password, tags = "management" });
        await PutAsync(admin, $"/api/permissions/{host}/{User}", new { configure = "^$", write = "^$", read = "^$" });
        return new BrokerFigures(Client(port, User, password), virtualHost);
    }

    /// <summary>Null when the broker did not answer with figures, which KEDA takes for an error.</summary>
    public async Task<QueueFigures?> ReadAsync(string queue)
    {
        try
        {
            using var answer = await _client.GetAsync(new Uri($"/api/queues/{Uri.EscapeDataString(_virtualHost)}/{Uri.EscapeDataString(queue)}", UriKind.Relative));
            if (answer.StatusCode != HttpStatusCode.OK || await answer.Content.ReadFromJsonAsync<JsonNode>() is not { } figures || figures["messages"] is null)
                return null;
            return new QueueFigures((int)figures["messages"]!, (int)figures["messages_ready"]!, (int)figures["messages_unacknowledged"]!);
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException) { return null; }
    }

    public async Task<double?> ReadAsync(Trigger trigger) => await ReadAsync(trigger.Queue) is { } figures ? trigger.ReadyOnly ? figures.Ready : figures.Messages : null;

    public void Dispose() => _client.Dispose();

    private static HttpClient Client(int port, string user, string password)
    {
        var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromSeconds(5) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes($"{user}:{password}")));
        return client;
    }

    private static async Task<bool> AnswersAsync(HttpClient client)
    {
        try
        {
            using var answer = await client.GetAsync(new Uri("/api/overview", UriKind.Relative));
            return answer.IsSuccessStatusCode;
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException) { return false; }
    }

    private static async Task PutAsync(HttpClient client, string path, object body)
    {
        using var answer = await client.PutAsJsonAsync(path, body);
        answer.EnsureSuccessStatusCode();
    }
}
