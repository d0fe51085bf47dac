using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Lifecycle;
using Millrace.Messages;
using Millrace.Storage.Announcements;

namespace Millrace.Api.Models;

/// <summary>Reads the announcements every second, and at once when a worker says that its own changed.</summary>
internal sealed class CatalogRefresh : PassLoop
{
    private readonly IAnnouncementStore _announcements;
    private readonly ModelCatalog _catalog;
    private readonly IDisposable _subscription;

    public CatalogRefresh(IAnnouncementStore announcements, ModelCatalog catalog, IEventBus events, TimeProvider time, ILogger<CatalogRefresh> logger)
        : base(TimeSpan.FromSeconds(1), time, logger, firstAtStart: true)
    {
        (_announcements, _catalog) = (announcements, catalog);
        _subscription = events.Subscribe<ModelsChanged>(_ => Wake());
    }

    public override async Task RunOnceAsync(CancellationToken cancellation) =>
        _catalog.Replace(await _announcements.ReadAsync(WorkerLiveness.AliveWithin, cancellation));

    public override void Dispose()
    {
        _subscription.Dispose();
        base.Dispose();
    }
}
