using Millrace.Api.Errors;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Lifecycle;
using Millrace.Messages;
using Millrace.Storage.Audit;
using Millrace.Storage.Models;

namespace Millrace.Api.Models;

/// <summary>Loads and unloads models: writes the wish down, tells the workers, and waits until those that live have made it true.</summary>
internal sealed class ModelWishes(
    IModelStore store, ModelCatalog catalog, CatalogRefresh refresh, IEventBus events, RepositoryOptions options, Draining draining, TimeProvider time)
{
    /// <summary>Loads it, or loads it anew. Returns when every live worker that has it is ready.</summary>
    /// <exception cref="RefusedException">404: no worker finds it; 503: it can't be loaded, or no worker lives; 504: not in time. The wish is kept.</exception>
    public async Task LoadAsync(string model, AuditEntry audit, CancellationToken cancellation)
    {
        if (!ModelNames.IsModel(model))
            throw Unknown();
        var revision = await WishAsync(model, loaded: true, audit, cancellation);
        var loaded = await UntilAsync(model, loaded: true, (found, waited) => IsDone(found, revision) || (found?.Wish is null && MayEnd(found, waited)), cancellation);
        var fault = loaded!.Newest is null ? loaded.Versions[^1].Reason : loaded.Versions.FirstOrDefault(v => v.IsReady && v.Fault is not null)?.Fault;
        if (fault is not null)
            throw new RefusedException(new Refusal(ErrorCode.ModelNotReady, $"Model {model} was not loaded{(loaded.Newest is null ? "" : " everywhere as its files are")}: {fault}") { RetryAfter = 5 });
    }

    /// <summary>Unloads all its versions. Returns when no live worker has one; jobs that wait for it go on waiting.</summary>
    /// <exception cref="RefusedException">404: there is no such model; 504: not in time. The wish is kept.</exception>
    public async Task UnloadAsync(string model, AuditEntry audit, CancellationToken cancellation)
    {
        if (catalog.Find(model) is null)
            throw Unknown();
        var revision = await WishAsync(model, loaded: false, audit, cancellation);
        await UntilAsync(model, loaded: false, (found, _) => found?.Wish is null || IsDone(found, revision), cancellation); // where no worker lives, the catalog obeys by itself
    }

    private async Task<long> WishAsync(string model, bool loaded, AuditEntry audit, CancellationToken cancellation)
    {
        var revision = await store.WishAsync(model, loaded, audit, cancellation);
        try { await events.PublishAsync(new ModelWished { Model = model }, CancellationToken.None); }
        catch (BrokerUnavailableException) { } // workers read the wishes with their heartbeat
        await refresh.RunOnceAsync(cancellation);
        return revision;
    }

    /// <summary>All live workers that know the model have read the wish and are done with it.</summary>
    private static bool IsDone(ServedModel? model, long revision) => model is { IsChanging: false } && model.Wish >= revision;

    /// <summary>No live worker has the model: soon nobody will come any more.</summary>
    /// <exception cref="RefusedException">The wait is over.</exception>
    private bool MayEnd(ServedModel? known, TimeSpan waited)
    {
        if (catalog.LiveWorkers == 0)
            throw Away("No worker is alive.");
        if (waited < options.FindTimeout)
            return false;
        throw known is null ? Unknown() : Away("No worker that is alive has this model.");
    }

    private async Task<ServedModel?> UntilAsync(string model, bool loaded, Func<ServedModel?, TimeSpan, bool> isDone, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation, draining.Begun);
        while (true)
        {
            var next = catalog.Next;
            var waited = time.GetElapsedTime(began);
            var found = catalog.Find(model);
            if (isDone(found, waited))
                return found;
            if (waited >= options.Timeout)
                throw new RefusedException(ErrorCode.DeadlineExceeded,
                    $"Not every worker has {(loaded ? "loaded" : "unloaded")} {model} within {options.Timeout.TotalSeconds:0.###} s. It goes on; POST /v2/repository/index tells how far it is.");
            try { await next.WaitAsync(options.Timeout - waited, time, stop.Token); }
            catch (TimeoutException) { }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                throw new RefusedException(new Refusal(ErrorCode.ShuttingDown, "This process is stopping. The wish is kept, and the workers make it true.") { RetryAfter = 1 });
            }
        }
    }

    private static RefusedException Away(string why) =>
        new(new Refusal(ErrorCode.Unavailable, $"{why} The wish is kept, and the next worker that starts with the model loads it.") { RetryAfter = 5 });

    private static RefusedException Unknown() => new(ErrorCode.ModelNotFound, "There is no model of this name in any worker's repository; POST /v2/repository/index lists all.");
}
