using Millrace.Api;
using Millrace.Api.Http;
using Millrace.Hosting;
using Millrace.Hosting.Embedded;
using Millrace.Worker;

namespace Millrace.Standalone;

/// <summary>One process that is API and worker both, with its queues in memory and its jobs in SQLite.</summary>
public static class StandaloneApp
{
    /// <summary>Runs until it is told to stop. 0 after an orderly end, 1 when it could not start: then one line on standard error says why.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            await using var app = Build(args);
            await app.StartAsync();
            Greeting.Print(app);
            await app.WaitForShutdownAsync();
            return 0;
        }
        catch (Exception error) when (StartupFailure.Explain(error) is { } line)
        {
            await Console.Error.WriteLineAsync($"millrace: {line}");
            return 1;
        }
    }

    /// <summary>The application, not started yet.</summary>
    /// <param name="configure">For tests: another clock, other services.</param>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        // Settings are read once. Watching their files means watching the working folder, and every write to the data in it cost a wake-up.
        var builder = WebApplication.CreateSlimBuilder(["--hostBuilder:reloadConfigOnChange=false", "--urls=", "--http_ports=", .. args]); // Millrace:Http:Url alone says where
        builder.Logging.SetUpLogging();
        builder.Services.AddMillraceHosting();
        builder.Services.AddEmbeddedParts();
        builder.Services.AddMillraceWorker();
        builder.Services.AddMillraceApi();
        configure?.Invoke(builder);
        builder.WebHost.ConfigureKestrel((_, kestrel) => kestrel.Listen(ListenAddress.Parse(kestrel.ApplicationServices.GetRequiredService<HttpOptions>())));
        var app = builder.Build();
        app.MapMillraceApi();
        return app;
    }
}
