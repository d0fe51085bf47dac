using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Millrace.Hosting.Configuration;
using Millrace.Worker.Batching;
using Millrace.Worker.Consumers;
using Millrace.Worker.Execution;
using Millrace.Worker.Leases;
using Millrace.Worker.Management;
using Millrace.Worker.Models;
using static Millrace.Hosting.Configuration.SettingsExtensions;

namespace Millrace.Worker;

public static class WorkerServiceExtensions
{
    /// <summary>All that loads and runs models. It needs a broker and a store.</summary>
    public static IServiceCollection AddMillraceWorker(this IServiceCollection services)
    {
        services.AddSettings("Models",
            new SettingRule<ModelsOptions>("Path", o => o.Path.Length > 0, _ => "it is empty; name the folder of the models"),
            new SettingRule<ModelsOptions>("ScanEvery", o => o.ScanEvery == TimeSpan.Zero || (o.ScanEvery >= TimeSpan.FromMilliseconds(100) && o.ScanEvery <= TimeSpan.FromHours(1)),
                o => $"{o.ScanEvery} is out of range; it must be 00:00:00, or from 00:00:00.100 to 01:00:00"),
            Range<ModelsOptions, TimeSpan>("UnloadDelay", o => o.UnloadDelay, TimeSpan.Zero, TimeSpan.FromMinutes(10)),
            Range<ModelsOptions, TimeSpan>("OnDemandIdle", o => o.OnDemandIdle, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)),
            Range<ModelsOptions, long>("MaxModelBytes", o => o.MaxModelBytes, 1 << 10, 1L << 40),
            Range<ModelsOptions, int>("MaxExternalTensors", o => o.MaxExternalTensors, 0, 1_000_000));
        services.AddSettings("Worker",
            Range<WorkerOptions, TimeSpan>("Lease", o => o.Lease, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
            Range<WorkerOptions, TimeSpan>("Backoff", o => o.Backoff, TimeSpan.Zero, TimeSpan.FromHours(1)),
            Range<WorkerOptions, long>("MaxClaimedBytes", o => o.MaxClaimedBytes, 1 << 20, 1L << 40),
            Range<WorkerOptions, long>("MaxRunBytes", o => o.MaxRunBytes, -1, RunArena.LargestLimit),
            Range<WorkerOptions, TimeSpan>("LongestBackoff", o => o.LongestBackoff, TimeSpan.Zero, TimeSpan.FromDays(1)));
        services.AddSingleton<WorkerIdentity>();
        services.AddSingleton<ModelRepository>();
        services.AddSingleton<ModelHost>();
        services.AddSingleton<OnDemandVersions>();
        services.AddSingleton<ModelConsumers>();
        services.AddSingleton<RepositoryWatch>();
        services.AddSingleton<RunLedger>();
        services.AddSingleton<RunsInWork>();
        services.AddSingleton<RunMetrics>();
        services.AddWorkerChecks();
        services.AddSingleton<PackConsumer>();
        services.AddSingleton<JobFinisher>();
        services.AddSingleton<LeaseKeeper>();
        services.AddSingleton<WorkerService>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<WorkerService>());
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<RepositoryWatch>()); // after the service: it goes on with what that began
        services.AddSingleton<IHostedService, StatisticsReport>();
        services.AddSingleton<Heartbeat>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<Heartbeat>());
        return services;
    }
}
