using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Millrace.Hosting.Configuration;
using Millrace.Storage;
using Millrace.Storage.Access;
using Millrace.Storage.Announcements;
using Millrace.Storage.Audit;
using Millrace.Storage.DeadLetters;
using Millrace.Storage.Jobs;
using Millrace.Storage.Models;
using Millrace.Storage.Postgres;
using Millrace.Storage.Queues;
using Millrace.Storage.Rates;
using Millrace.Storage.Replays;
using Millrace.Storage.Secrets;
using Millrace.Storage.Sqlite;
using static Millrace.Hosting.Configuration.SettingsExtensions;

namespace Millrace.Hosting.Servers;

/// <summary>The store: PostgreSQL where an address is set, else SQLite in a folder.</summary>
public static class StoreParts
{
    public static IServiceCollection AddMillraceStore(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings("Store",
            new SettingRule<StoreOptions>("Path", o => o.Path.Length > 0, _ => "it is empty; name a folder"),
            Range<StoreOptions, int>("Window", o => o.Window, 1, 100_000),
            Range<StoreOptions, int>("MaxConnections", o => o.MaxConnections, 2, 500));
        services.AddSingleton<StoreBreaker>();
        return string.IsNullOrEmpty(configuration["Millrace:Store:Url"]) ? services.AddSqlite() : services.AddPostgres();
    }

    private static IServiceCollection AddSqlite(this IServiceCollection services)
    {
        services.AddSingleton(provider => SqliteDatabase.Open(provider.GetRequiredService<StoreOptions>().Path));
        services.AddSingleton<SqliteInsert>();
        services.AddSingleton<IJobStore, SqliteJobStore>();
        services.AddSingleton<IDispatchStore, SqliteDispatchStore>();
        services.AddSingleton<IClaimStore, SqliteClaimStore>();
        services.AddSingleton<IRepairStore, SqliteRepairStore>();
        services.AddSingleton<IQueueStore, SqliteQueueStore>();
        services.AddSingleton<IReplayStore, SqliteReplayStore>();
        services.AddSingleton<IAnnouncementStore, SqliteAnnouncementStore>();
        services.AddSingleton<ISecretStore, SqliteSecretStore>();
        services.AddSingleton<IDeadLetterStore, SqliteDeadLetterStore>();
        services.AddSingleton<IKeyStore, SqliteKeyStore>();
        services.AddSingleton<IAuditStore, SqliteAuditStore>();
        services.AddSingleton<IRateStore, SqliteRateStore>();
        services.AddSingleton<IModelStore, SqliteModelStore>();
        return services;
    }

    private static IServiceCollection AddPostgres(this IServiceCollection services)
    {
        services.AddSingleton(Open);
        services.AddSingleton<IJobStore, PostgresJobStore>();
        services.AddSingleton<IDispatchStore, PostgresDispatchStore>();
        services.AddSingleton<IClaimStore, PostgresClaimStore>();
        services.AddSingleton<IRepairStore, PostgresRepairStore>();
        services.AddSingleton<IQueueStore, PostgresQueueStore>();
        services.AddSingleton<IReplayStore, PostgresReplayStore>();
        services.AddSingleton<IAnnouncementStore, PostgresAnnouncementStore>();
        services.AddSingleton<ISecretStore, PostgresSecretStore>();
        services.AddSingleton<IDeadLetterStore, PostgresDeadLetterStore>();
        services.AddSingleton<IKeyStore, PostgresKeyStore>();
        services.AddSingleton<IAuditStore, PostgresAuditStore>();
        services.AddSingleton<IRateStore, PostgresRateStore>();
        services.AddSingleton<IModelStore, PostgresModelStore>();
        services.AddSingleton<IHostedService, StoreStartup>(); // first of all: what starts after it reads the store
        return services;
    }

    /// <summary>For a program that does one thing and ends: the schema is there when it returns.</summary>
    public static async Task PrepareStoreAsync(this IServiceProvider services, CancellationToken cancellation)
    {
        if (services.GetService<PostgresDatabase>() is not { } database)
            return;
        try { await database.MigrateAsync(cancellation); }
        catch (StoreUnavailableException error) { throw new StartupException($"Millrace:Store:Url: {error.Message}", error); }
    }

    private static PostgresDatabase Open(IServiceProvider provider)
    {
        try { return PostgresDatabase.Open(provider.GetRequiredService<StoreOptions>(), provider.GetRequiredService<StoreBreaker>()); }
        catch (FormatException error) { throw new StartupException($"Millrace:Store:Url: {error.Message}", error); }
    }
}
