using Microsoft.Extensions.DependencyInjection;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Configuration;
using Millrace.Storage;
using Millrace.Storage.Announcements;
using Millrace.Storage.Jobs;
using Millrace.Storage.Secrets;
using Millrace.Storage.Sqlite;
using static Millrace.Hosting.Configuration.SettingsExtensions;

namespace Millrace.Hosting.Embedded;

/// <summary>Broker and store without a server: chosen when no address of one is set.</summary>
public static class EmbeddedParts
{
    public static IServiceCollection AddEmbeddedParts(this IServiceCollection services)
    {
        services.AddSettings("Store",
            new SettingRule<StoreOptions>("Url", o => o.Url.Length == 0, _ => "database servers are not supported yet; leave it empty for SQLite under Millrace:Store:Path"),
            new SettingRule<StoreOptions>("Path", o => o.Path.Length > 0, _ => "it is empty; name a folder"),
            Range<StoreOptions, int>("Window", o => o.Window, 1, 100_000));
        services.AddSettings("Broker",
            new SettingRule<BrokerOptions>("Url", o => o.Url.Length == 0, _ => "brokers are not supported yet; leave it empty for queues in memory"));

        services.AddSingleton(provider => SqliteDatabase.Open(provider.GetRequiredService<StoreOptions>().Path));
        services.AddSingleton<IJobStore, SqliteJobStore>();
        services.AddSingleton<IDispatchStore, SqliteDispatchStore>();
        services.AddSingleton<IClaimStore, SqliteClaimStore>();
        services.AddSingleton<IRepairStore, SqliteRepairStore>();
        services.AddSingleton<IAnnouncementStore, SqliteAnnouncementStore>();
        services.AddSingleton<ISecretStore, SqliteSecretStore>();

        services.AddSingleton<MemoryBroker>();
        services.AddSingleton<IInferenceQueue>(provider => provider.GetRequiredService<MemoryBroker>());
        services.AddSingleton<ITicketQueue>(provider => provider.GetRequiredService<MemoryBroker>());
        services.AddSingleton<IEventBus>(provider => provider.GetRequiredService<MemoryBroker>());
        services.AddSingleton<IWorkQueue>(provider => provider.GetRequiredService<MemoryBroker>());
        return services;
    }
}
