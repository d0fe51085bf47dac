using Millrace.Api;
using Millrace.Api.Access;
using Millrace.Hosting.Management;
using Millrace.Hosting.Servers;
using Millrace.Hosting.Startup;
using Millrace.Worker;

namespace Millrace.Standalone;

/// <summary>One process that is API and worker both. With no servers named, its queues are in memory and its jobs in SQLite.</summary>
public static class StandaloneApp
{
    public static Task<int> RunAsync(string[] args) => args switch
    {
        _ when KeyCommands.Match(args) => KeyCommands.RunAsync(args),
        _ when HealthCommand.Match(args) => HealthCommand.RunAsync(args),
        _ => MillraceHost.RunAsync(() => Build(args), Greeting.Print),
    };

    /// <summary>The application, not started yet.</summary>
    /// <param name="configure">For tests: another clock, other services.</param>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = MillraceHost.CreateBuilder(args, "standalone");
        builder.Services.AddMillraceStore(builder.Configuration);
        builder.Services.AddMillraceBroker(builder.Configuration);
        builder.Services.AddMillraceWorker();
        builder.Services.AddMillraceApi();
        configure?.Invoke(builder);
        builder.ListenForClients();
        builder.ListenForManagement();
        var app = builder.Build();
        app.MapManagement();
        app.MapMillraceApi();
        return app;
    }
}
