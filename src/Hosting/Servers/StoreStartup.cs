using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Startup;
using Millrace.Storage;
using Millrace.Storage.Postgres;

namespace Millrace.Hosting.Servers;

/// <summary>Brings the database's schema up to date. When the database is away, the process starts nevertheless, says so, and goes on trying.</summary>
internal sealed class StoreStartup(PostgresDatabase database, FatalError fatal, TimeProvider time, ILogger<StoreStartup> logger) : BackgroundService
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);
    private bool _ready;

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        try { await PrepareAsync(cancellationToken); }
        catch (StoreUnavailableException error) { logger.StoreAway(error.Message); }
        catch (StoreNotDurableException error) { throw new StartupException($"Millrace:Store:Url: {error.Message}", error); }
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!_ready)
        {
            await Task.Delay(RetryAfter, time, stoppingToken);
            try
            {
                await PrepareAsync(stoppingToken);
                logger.StoreBack();
            }
            catch (StoreUnavailableException) { } // said once
            catch (StoreNotDurableException error)
            {
                fatal.Stop($"Millrace:Store:Url: {error.Message}");
                return;
            }
        }
    }

    private async Task PrepareAsync(CancellationToken cancellation)
    {
        await database.CheckDurableAsync(cancellation);
        await database.MigrateAsync(cancellation);
        _ready = true;
    }
}
