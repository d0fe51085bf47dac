using Millrace.Hosting.Configuration;
using Millrace.Hosting.Startup;

namespace Millrace.Hosting.Management;

/// <summary><c>health</c>: asks the process that runs with the same settings whether it is ready. For images without a shell.</summary>
public static class HealthCommand
{
    public static bool Match(string[] args) => args is ["health", ..];

    /// <summary>0 when it is ready; else 1, with its answer on standard error.</summary>
    public static Task<int> RunAsync(string[] args) => MillraceHost.RunCommandAsync(async () =>
    {
        var settings = MillraceHost.CreateBuilder(args[1..], "health").Configuration;
        var address = settings[$"{SettingsExtensions.Root}:Management:Url"];
        if (string.IsNullOrEmpty(address) || !ListenAddress.IsValid(address) || ListenAddress.Parse(address) is not { Port: > 0 } end)
            throw new StartupException("Millrace:Management:Url: it must be set to an address with a port, or nobody knows where to ask");
        var host = end.Address.Equals(System.Net.IPAddress.Any) || end.Address.Equals(System.Net.IPAddress.IPv6Any) ? "localhost" : end.Address.ToString();
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(5) };
        try
        {
            using var answer = await client.GetAsync(new UriBuilder("http", host, end.Port, "/health/ready").Uri);
            if (!answer.IsSuccessStatusCode)
                throw new StartupException($"not ready: {await answer.Content.ReadAsStringAsync()}");
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException) { throw new StartupException($"nothing answers at {address}: {error.Message}", error); }
    });
}
