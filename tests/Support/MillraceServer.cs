using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Standalone;

namespace Millrace.Tests.Support;

/// <summary>The whole server in this process, on a free port, with a data folder of its own: real HTTP, real models, real SQLite.</summary>
public sealed class MillraceServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly TemporaryFolder _data;
    private Task? _stop;

    private MillraceServer(WebApplication app, TemporaryFolder data, string ledger)
    {
        (_app, _data, LedgerFile) = (app, data, ledger);
        var addresses = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        (Url, GrpcUrl, ManagementUrl) = (addresses.First(), addresses.ElementAt(1), addresses.Last());
        Client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1000, UseProxy = false }) { BaseAddress = new Uri(Url), Timeout = TimeSpan.FromMinutes(2) };
        Management = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(ManagementUrl) };
    }

    public string Url { get; }

    /// <summary>Where calls of gRPC go.</summary>
    public string GrpcUrl { get; }

    /// <summary>Where its metrics and its health are.</summary>
    public string ManagementUrl { get; }
    public HttpClient Client { get; }
    public HttpClient Management { get; }

    /// <summary>Gets a line before and after each model run; see <see cref="Ledger"/>.</summary>
    public string LedgerFile { get; }

    public string DataFolder => _data.Path;

    public IServiceProvider Services => _app.Services;

    public IReadOnlyList<RunLine> Ledger() => RunLine.Read(LedgerFile);

    /// <summary>On the fixture models, with default settings.</summary>
    public static Task<MillraceServer> StartAsync() => StartAsync(Repository.TestModels);

    /// <param name="models">The model repository.</param>
    /// <param name="settings">As <c>Millrace:Worker:Lease=00:00:02</c>.</param>
    public static Task<MillraceServer> StartAsync(string models, params string[] settings) => StartAsync(models, null, settings);

    /// <param name="time">Another clock than the system's.</param>
    public static async Task<MillraceServer> StartAsync(string models, TimeProvider? time, string[] settings)
    {
        var data = new TemporaryFolder();
        var ledger = Path.Combine(data.Path, "ledger");
        string[] args =
        [
            "--environment=Testing", "--Millrace:Http:Url=http://127.0.0.1:0", "--Millrace:Grpc:Url=http://127.0.0.1:0", $"--Millrace:Store:Path={data.Path}", $"--Millrace:Models:Path={models}",
            $"--Millrace:Worker:RunLedger={ledger}", "--Millrace:Reconciler:Interval=00:00:00.100", "--Millrace:Dispatch:Interval=00:00:00.050",
            "--Millrace:Worker:Backoff=00:00:00.010", "--Logging:LogLevel:Default=Error", "--Millrace:Logs:Format=text", .. settings.Select(s => "--" + s),
        ];
        var app = StandaloneApp.Build(args, builder =>
        {
            if (time is not null)
                builder.Services.AddSingleton(time);
        });
        try
        {
            await app.StartAsync();
            return new MillraceServer(app, data, ledger);
        }
        catch
        {
            await app.DisposeAsync();
            data.Dispose();
            throw;
        }
    }

    /// <summary>What SIGTERM does; returns when the server has left.</summary>
    public Task StopAsync() => _stop ??= _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Management.Dispose();
        await StopAsync();
        await _app.DisposeAsync();
        _data.Dispose();
    }
}
