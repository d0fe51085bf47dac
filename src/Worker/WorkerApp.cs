using Microsoft.AspNetCore.Builder;
using Millrace.Hosting.Management;
using Millrace.Hosting.Servers;
using Millrace.Hosting.Startup;
using Millrace.Worker.Models;

namespace Millrace.Worker;

/// <summary>The worker as a process of its own: it meets the API in RabbitMQ and PostgreSQL, and answers HTTP only to those who run it.</summary>
public static class WorkerApp
{
    public static Task<int> RunAsync(string[] args) => args switch
    {
        _ when HealthCommand.Match(args) => HealthCommand.RunAsync(args),
        _ when AnnounceCommand.Match(args) => AnnounceCommand.RunAsync(args),
        _ => MillraceHost.RunAsync(() => Build(args), static (_, _) => Console.WriteLine("Millrace worker")),
    };

    public static WebApplication Build(string[] args)
    {
        var builder = MillraceHost.CreateBuilder(args, "worker");
        ServerAddresses.MustBeSet(builder.Configuration);
        builder.Services.AddMillraceStore(builder.Configuration);
        builder.Services.AddMillraceBroker(builder.Configuration);
        builder.Services.AddMillraceWorker();
        builder.ListenForManagement();
        var app = builder.Build();
        app.MapManagement();
        return app;
    }

    internal static class Program
    {
        private static Task<int> Main(string[] args) => RunAsync(args);
    }
}
