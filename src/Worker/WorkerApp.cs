using Microsoft.AspNetCore.Builder;
using Millrace.Hosting.Health;
using Millrace.Hosting.Servers;
using Millrace.Hosting.Startup;
using Millrace.Worker.Health;

namespace Millrace.Worker;

/// <summary>A worker as a process of its own: it meets the API in RabbitMQ and PostgreSQL, and answers HTTP only for its health.</summary>
public static class WorkerApp
{
    public static Task<int> RunAsync(string[] args) => MillraceHost.RunAsync(() => Build(args), static (_, url) => Console.WriteLine($"Millrace worker answers for its health on {url}"));

    public static WebApplication Build(string[] args)
    {
        var builder = MillraceHost.CreateBuilder(args);
        ServerAddresses.MustBeSet(builder.Configuration);
        builder.Services.AddMillraceStore(builder.Configuration);
        builder.Services.AddMillraceBroker(builder.Configuration);
        builder.Services.AddMillraceWorker();
        builder.Services.AddHealthSettings();
        builder.ListenOn<HealthOptions>(o => o.Url);
        var app = builder.Build();
        app.MapWorkerHealth();
        return app;
    }

    internal static class Program
    {
        private static Task<int> Main(string[] args) => RunAsync(args);
    }
}
