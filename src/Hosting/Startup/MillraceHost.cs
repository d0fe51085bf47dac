using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.EnvironmentVariables;
using Microsoft.Extensions.Configuration.KeyPerFile;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Telemetry;

namespace Millrace.Hosting.Startup;

/// <summary>What starting and ending have in common in every program of ours.</summary>
public static class MillraceHost
{
    /// <summary>A builder with our logging and what every process needs. It listens nowhere until it is told where.</summary>
    /// <param name="process">See <see cref="ProcessName"/>.</param>
    /// <remarks>Settings, the later one winning: appsettings.json, files of secrets, environment, arguments.</remarks>
    public static WebApplicationBuilder CreateBuilder(string[] args, string process)
    {
        // Settings are read once. Watching their files means watching the working folder, and every write to the data in it cost a wake-up.
        var builder = WebApplication.CreateSlimBuilder(["--hostBuilder:reloadConfigOnChange=false", "--urls=", "--http_ports=", .. args]); // our own settings alone say where
        builder.AddSecretFiles();
        builder.SetUpLogs();
        builder.SetUpTraces(process);
        builder.Services.AddSingleton(new ProcessName(process));
        builder.Services.AddMillraceHosting();
        return builder;
    }

    /// <summary>A file named as an environment variable would be, as <c>/run/secrets/MILLRACE__STORE__URL</c>, holds the value: what is in the environment shows in too many places.</summary>
    private static void AddSecretFiles(this WebApplicationBuilder builder)
    {
        var folder = Environment.GetEnvironmentVariable("MILLRACE_SECRETS") is { Length: > 0 } own ? own : "/run/secrets";
        if (!Directory.Exists(folder))
            return;
        var files = new KeyPerFileConfigurationSource
        {
            FileProvider = new PhysicalFileProvider(Path.GetFullPath(folder)),
            IgnoreCondition = name => !name.StartsWith("MILLRACE__", StringComparison.OrdinalIgnoreCase),
        };
        var sources = ((IConfigurationBuilder)builder.Configuration).Sources;
        var environment = sources.TakeWhile(s => s is not EnvironmentVariablesConfigurationSource { Prefix: null or "" }).Count();
        sources.Insert(environment, files);
    }

    /// <summary>Listens there; where the address is empty, not at all.</summary>
    /// <param name="endpoint">Sets up its connections.</param>
    public static void ListenOn<TOptions>(this WebApplicationBuilder builder, Func<TOptions, string> address, Action<ListenOptions>? endpoint = null) where TOptions : class => builder.WebHost.ConfigureKestrel((_, kestrel) =>
    {
        if (address(kestrel.ApplicationServices.GetRequiredService<TOptions>()) is { Length: > 0 } url)
            kestrel.Listen(ListenAddress.Parse(url), listen => endpoint?.Invoke(listen));
    });

    /// <summary>Runs until it is told to stop. 0 after an orderly end, 1 when it could not start or go on: then one line on standard error says why.</summary>
    /// <param name="greet">For people, where there may be some: what to say, with the address for clients. Where log lines are JSON, one of them says it.</param>
    public static Task<int> RunAsync(Func<WebApplication> build, Action<WebApplication, string> greet) => ExplainAsync(async () =>
    {
        await using var app = build();
        await app.StartAsync();
        string[] addresses = [.. app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? []]; // in the order in which they were asked for: for clients, for those of gRPC, for who runs it
        if (LogsOptions.IsJson(app.Services.GetRequiredService<LogsOptions>().Format))
        {
            var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Millrace");
            if (addresses is [_, var grpc, _])
                log.ListeningForGrpc(grpc);
            log.Listening(addresses[0], addresses[^1]);
        }
        else
        {
            greet(app, addresses[0]);
            if (addresses is [_, var grpc, _])
                Console.WriteLine($"gRPC: {grpc}");
            Console.WriteLine($"Metrics and health: {addresses[^1]}/metrics, {addresses[^1]}/health/ready");
        }
        await app.WaitForShutdownAsync();
        return app.Services.GetRequiredService<FatalError>().Reason;
    });

    /// <summary>Does one thing and ends. 0, or 1 with one line on standard error that says why not.</summary>
    public static Task<int> RunCommandAsync(Func<Task> command) => ExplainAsync(async () =>
    {
        await command();
        return null;
    });

    private static async Task<int> ExplainAsync(Func<Task<string?>> run)
    {
        try
        {
            if (await run() is not { } reason)
                return 0;
            await Console.Error.WriteLineAsync($"millrace: {reason}");
            return 1;
        }
        catch (Exception error) when (StartupFailure.Explain(error) is { } line)
        {
            await Console.Error.WriteLineAsync($"millrace: {line}");
            return 1;
        }
    }
}

/// <summary>Why a process that had started can't go on.</summary>
public sealed class FatalError(IHostApplicationLifetime lifetime)
{
    public string? Reason { get; private set; }

    public void Stop(string reason)
    {
        Reason = reason;
        lifetime.StopApplication();
    }
}
