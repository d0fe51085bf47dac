using Microsoft.AspNetCore.Builder;
using Millrace.Api.Access;
using Millrace.Hosting.Management;
using Millrace.Hosting.Servers;
using Millrace.Hosting.Startup;

namespace Millrace.Api;

/// <summary>The API as a process of its own: it meets its workers in RabbitMQ and PostgreSQL.</summary>
public static class ApiApp
{
    public static Task<int> RunAsync(string[] args) => args switch
    {
        _ when KeyCommands.Match(args) => KeyCommands.RunAsync(args),
        _ when HealthCommand.Match(args) => HealthCommand.RunAsync(args),
        _ when MigrateCommand.Match(args) => MigrateCommand.RunAsync(args),
        _ => MillraceHost.RunAsync(() => Build(args), static (_, url) => Console.WriteLine($"Millrace listens on {url}")),
    };

    public static WebApplication Build(string[] args)
    {
        var builder = MillraceHost.CreateBuilder(args, "api");
        ServerAddresses.MustBeSet(builder.Configuration);
        builder.Services.AddMillraceStore(builder.Configuration);
        builder.Services.AddMillraceBroker(builder.Configuration);
        builder.Services.AddMillraceApi();
        builder.ListenForClients();
        builder.ListenForManagement();
        var app = builder.Build();
        app.MapManagement();
        app.MapMillraceApi();
        return app;
    }

    internal static class Program
    {
        private static Task<int> Main(string[] args) => RunAsync(args);
    }
}
