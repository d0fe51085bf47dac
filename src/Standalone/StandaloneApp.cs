using Millrace.Api;
using Millrace.Api.Access;
using Millrace.Api.Http;
using Millrace.Hosting.Servers;
using Millrace.Hosting.Startup;
using Millrace.Worker;

namespace Millrace.Standalone;

/// <summary>One process that is API and worker both. With no servers named, its queues are in memory and its jobs in SQLite.</summary>
public static class StandaloneApp
{
    public static Task<int> RunAsync(string[] args) => KeyCommands.Match(args) ? KeyCommands.RunAsync(args) : MillraceHost.RunAsync(() => Build(args), Greeting.Print);

    /// <summary>The application, not started yet.</summary>
    /// <param name="configure">For tests: another clock, other services.</param>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = MillraceHost.CreateBuilder(args);
        builder.Services.AddMillraceStore(builder.Configuration);
        builder.Services.AddMillraceBroker(builder.Configuration);
        builder.Services.AddMillraceWorker();
        builder.Services.AddMillraceApi();
        configure?.Invoke(builder);
        builder.ListenOn<HttpOptions>(o => o.Url, ApiServiceExtensions.LimitConnections);
        var app = builder.Build();
        app.MapMillraceApi();
        return app;
    }
}
