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
        services.AddSettings<ModelsOptions>("Models", new SettingRule<ModelsOptions>("Path", o => o.Path.Length > 0, _ => "it is empty; name the folder of the models"));
        services.AddSettings("Worker",
            Range<WorkerOptions, TimeSpan>("Lease", o => o.Lease, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
            Range<WorkerOptions, TimeSpan>("Backoff", o => o.Backoff, TimeSpan.Zero, TimeSpan.FromHours(1)),
            Range<WorkerOptions, TimeSpan>("LongestBackoff", o => o.LongestBackoff, TimeSpan.Zero, TimeSpan.FromDays(1)));
        services.AddSingleton<WorkerIdentity>();
        services.AddSingleton<ModelRepository>();
        services.AddSingleton<ModelHost>();
        services.AddSingleton<RunLedger>();
        services.AddSingleton<RunsInWork>();
        services.AddSingleton<RunMetrics>();
        services.AddWorkerChecks();
        services.AddSingleton<PackConsumer>();
        services.AddSingleton<JobFinisher>();
        services.AddSingleton<LeaseKeeper>();
        services.AddSingleton<WorkerService>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<WorkerService>());
        services.AddSingleton<Heartbeat>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<Heartbeat>());
        return services;
    }
}
