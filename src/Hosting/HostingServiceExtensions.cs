using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Millrace.Hosting.Chaos;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Faults;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Management;
using Millrace.Hosting.Resilience;
using Millrace.Hosting.Startup;
using Millrace.Hosting.Telemetry;
using static Millrace.Hosting.Configuration.SettingsExtensions;

namespace Millrace.Hosting;

public static class HostingServiceExtensions
{
    /// <summary>What every process needs once: a clock, an orderly end, and settings that are checked before anything starts.</summary>
    public static IServiceCollection AddMillraceHosting(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSettings("Drain", Range<DrainOptions, TimeSpan>("Timeout", o => o.Timeout, TimeSpan.Zero, TimeSpan.FromHours(1)));
        services.AddOptions<HostOptions>().Configure<DrainOptions>((host, drain) => host.ShutdownTimeout = drain.Timeout + TimeSpan.FromSeconds(5));
        services.AddSettings("Breaker",
            Range<BreakerOptions, int>("MinimumCalls", o => o.MinimumCalls, 2, 10_000),
            Range<BreakerOptions, double>("FailureRatio", o => o.FailureRatio, 0.01, 1),
            Range<BreakerOptions, TimeSpan>("Window", o => o.Window, TimeSpan.FromMilliseconds(500), TimeSpan.FromMinutes(10)),
            Range<BreakerOptions, TimeSpan>("OpenFor", o => o.OpenFor, TimeSpan.FromMilliseconds(500), TimeSpan.FromMinutes(1)));
        services.AddHostedService<SettingsCheck>();
        services.AddSettings<FaultOptions>("Faults");
        services.AddSingleton(ReadFaults);
        services.AddChaos();
        services.AddManagement();
        services.AddSingleton<Instruments>();
        services.AddMetrics<ProcessMetrics>();
        services.AddMetrics<PassMetrics>();
        services.AddSingleton<JobMetrics>();
        services.AddSingleton<FatalError>();
        services.AddSingleton<Draining>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<Draining>());
        return services;
    }

    private static FaultPoints ReadFaults(IServiceProvider provider)
    {
        var plan = provider.GetRequiredService<FaultOptions>().Plan;
        if (plan.Length > 0 && provider.GetRequiredService<IHostEnvironment>().IsProduction())
            throw new StartupException("Millrace:Faults:Plan: faults are not injected in the Production environment; leave it empty");
        try { return new FaultPoints(plan); }
        catch (FormatException error) { throw new StartupException($"Millrace:Faults:Plan: {error.Message}", error); }
    }
}
