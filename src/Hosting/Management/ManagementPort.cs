using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Startup;
using Millrace.Hosting.Telemetry;

namespace Millrace.Hosting.Management;

/// <summary>A listener of its own for metrics and health. What arrives there meets no other route, and what arrives elsewhere never meets these.</summary>
public static class ManagementPort
{
    internal static IServiceCollection AddManagement(this IServiceCollection services)
    {
        services.AddSettings("Management",
            new SettingRule<ManagementOptions>("Url", o => ListenAddress.IsValid(o.Url), o => $"'{o.Url}' is not an address like http://127.0.0.1:9080"));
        services.AddReadiness<Draining>("draining", draining => draining.Begun.IsCancellationRequested ? "This process is stopping." : null);
        return services;
    }

    public static void ListenForManagement(this WebApplicationBuilder builder) => builder.ListenOn<ManagementOptions>(o => o.Url, listen => listen.Use(next => connection =>
    {
        connection.Features.Set(Arrival.Here); // the connection tells where a request came in; its Host field could lie
        return next(connection);
    }));

    /// <summary>Before everything else that the application maps.</summary>
    public static void MapManagement(this WebApplication app)
    {
        var instruments = app.Services.GetRequiredService<Instruments>();
        app.Lifetime.ApplicationStarted.Register(app.Services.StartMetrics);
        app.MapWhen(context => context.Features.Get<Arrival>() is not null, management =>
        {
            management.UseHealthChecks("/health/live", Checks(_ => false)); // the process answers; nothing else may end it
            management.UseHealthChecks("/health/startup", Checks(_ => false)); // it listens last of all, so that it answers means that it has started
            management.UseHealthChecks("/health/ready", Checks(_ => true));
            management.Map("/metrics", metrics => metrics.Run(context => instruments.WriteAsync(context.Response, context.RequestAborted)));
            management.Run(context =>
            {
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return context.Response.WriteAsync("Here are /metrics, /health/live, /health/ready and /health/startup.\n");
            });
        });
    }

    private static HealthCheckOptions Checks(Func<Microsoft.Extensions.Diagnostics.HealthChecks.HealthCheckRegistration, bool> which) =>
        new() { Predicate = which, ResponseWriter = HealthReportJson.WriteAsync };

    private sealed class Arrival
    {
        public static readonly Arrival Here = new();
    }
}
