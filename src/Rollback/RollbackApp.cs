using System.Net.Sockets;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Configuration.EnvironmentVariables;
using Microsoft.Extensions.Configuration.KeyPerFile;
using Microsoft.Extensions.FileProviders;
using Millrace.Rollback.Alerts;
using Millrace.Rollback.Health;
using Millrace.Rollback.Kubernetes;
using Millrace.Rollback.Releases;

namespace Millrace.Rollback;

/// <summary>Takes alerts from Alertmanager, and takes a bad release back to the slot of the one before.</summary>
public static class RollbackApp
{
    /// <summary>Of an alert's body; Alertmanager's are a few KiB.</summary>
    private const int MaxBodyBytes = 1 << 20;

    /// <summary>0 after an orderly end, 1 when it could not start: then one line on standard error says why.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            await using var app = Build(args);
            await StartAsync(app);
            var url = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
            Console.WriteLine($"Millrace listens on {url}");
            Console.WriteLine($"Metrics and health: {url}/metrics, {url}/health/ready");
            await app.WaitForShutdownAsync();
            return 0;
        }
        catch (SettingsException error)
        {
            await Console.Error.WriteLineAsync($"millrace: {error.Message}");
            return 1;
        }
    }

    /// <summary>The application, not started yet.</summary>
    /// <exception cref="SettingsException">It can't work with these settings.</exception>
    public static WebApplication Build(string[] args)
    {
        var builder = CreateBuilder(args);
        var options = RollbackOptions.Read(builder.Configuration);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(options.Listen);
            kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
        });
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<RollbackMetrics>();
        builder.Services.AddSingleton<KubernetesApi>();
        builder.Services.AddSingleton<ReleaseRecord>();
        builder.Services.AddSingleton<Slots>();
        builder.Services.AddSingleton<RollbackSteps>();
        builder.Services.AddSingleton<Conditions>();
        builder.Services.AddSingleton<Rollbacks>();
        builder.Services.AddSingleton<Unfinished>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<Unfinished>());
        var app = builder.Build();
        app.MapAlerts();
        app.MapHealth();
        app.MapMetrics();
        return app;
    }

    internal static WebApplicationBuilder CreateBuilder(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(["--hostBuilder:reloadConfigOnChange=false", "--urls=", "--http_ports=", .. args]);
        builder.AddSecretFiles();
        builder.Logging.ClearProviders();
        builder.Logging.AddJsonConsole(console => (console.UseUtcTimestamp, console.TimestampFormat) = (true, "yyyy-MM-ddTHH:mm:ss.fffZ"));
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None); // a failed start is told in one line of ours
        return builder;
    }

    /// <summary>As in the other programs: a file named as the variable would be; the environment wins over files, arguments over both.</summary>
    private static void AddSecretFiles(this WebApplicationBuilder builder)
    {
        var folder = builder.Configuration["MILLRACE_SECRETS"] is { Length: > 0 } own ? own : "/run/secrets";
        if (!Directory.Exists(folder))
            return;
        var files = new KeyPerFileConfigurationSource
        {
            FileProvider = new PhysicalFileProvider(Path.GetFullPath(folder)),
            IgnoreCondition = static name => !name.StartsWith("MILLRACE__", StringComparison.OrdinalIgnoreCase),
        };
        var sources = ((IConfigurationBuilder)builder.Configuration).Sources;
        sources.Insert(sources.TakeWhile(static s => s is not EnvironmentVariablesConfigurationSource { Prefix: null or "" }).Count(), files);
    }

    private static async Task StartAsync(WebApplication app)
    {
        try { await app.StartAsync(); }
        catch (Exception error) when (error is SocketException or IOException { InnerException: SocketException or Microsoft.AspNetCore.Connections.AddressInUseException })
        {
            throw new SettingsException($"Millrace:Rollback:Url: can't listen there: {error.Message}", error);
        }
    }
}
