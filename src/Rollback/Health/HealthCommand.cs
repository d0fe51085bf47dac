using System.Net;

namespace Millrace.Rollback.Health;

/// <summary><c>health</c>: asks the process that runs with the same settings whether it is ready. For images without a shell.</summary>
internal static class HealthCommand
{
    public static bool Match(string[] args) => args is ["health", ..];

    /// <summary>0 when it is ready; else 1, with its answer on standard error.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            var at = RollbackOptions.Read(RollbackApp.CreateBuilder(args[1..]).Configuration).Listen;
            var host = at.Address.Equals(IPAddress.Any) || at.Address.Equals(IPAddress.IPv6Any) ? "localhost" : at.Address.ToString();
            using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(5) };
            using var answer = await client.GetAsync(new UriBuilder("http", host, at.Port, "/health/ready").Uri);
            if (answer.IsSuccessStatusCode)
                return 0;
            await Console.Error.WriteLineAsync($"millrace: not ready: {await answer.Content.ReadAsStringAsync()}");
        }
        catch (Exception error) when (error is SettingsException or HttpRequestException or TaskCanceledException) { await Console.Error.WriteLineAsync($"millrace: {error.Message}"); }
        return 1;
    }
}
