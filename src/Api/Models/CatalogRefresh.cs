using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Lifecycle;
using Millrace.Messages;
using Millrace.Storage.Announcements;
using Millrace.Storage.Models;

namespace Millrace.Api.Models;

/// <summary>Reads the announcements, the wishes and what is held back every second, and at once when a worker says that its announcements changed.</summary>
internal sealed class CatalogRefresh : PassLoop
{
    private readonly IAnnouncementStore _announcements;
    private readonly IModelStore _models;
    private readonly ModelCatalog _catalog;
    private readonly IDisposable _subscription;

    public CatalogRefresh(IAnnouncementStore announcements, IModelStore models, ModelCatalog catalog, IEventBus events, TimeProvider time, ILogger<CatalogRefresh> logger)
        : base(TimeSpan.FromSeconds(1), time, logger, firstAtStart: true)
    {
        (_announcements, _models, _catalog) = (announcements, models, catalog);
        _subscription = events.Subscribe<ModelsChanged>(_ => Wake());
    }

    public override async Task RunOnceAsync(CancellationToken cancellation)
    {
        var wishes = await _models.ReadWishesAsync(cancellation);
        var held = await _models.ReadHeldBackAsync(cancellation);
        _catalog.Replace(await _announcements.ReadAsync(WorkerLiveness.AliveWithin, cancellation), wishes, held);
    }

    public override void Dispose()
    {
        _subscription.Dispose();
        base.Dispose();
    }
}
