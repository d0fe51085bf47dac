using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Traffic;
using Millrace.Storage.Announcements;
using Millrace.Storage.Models;

namespace Millrace.Api.Models;

/// <summary>The models that workers announced, in memory; <see cref="CatalogRefresh"/> keeps it fresh.</summary>
internal sealed class ModelCatalog(ModelAccess access, TimeProvider time)
{
    private volatile Snapshot _snapshot = new(FrozenDictionary<string, ServedModel>.Empty, 0, null);
    private volatile TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyList<ServedModel> All => _snapshot.Models.Values.OrderBy(m => m.Name, StringComparer.Ordinal).ToArray();

    public IReadOnlyList<ServedModel> VisibleTo(string tenant) => All.Where(m => access.IsVisible(m.Name, tenant)).ToArray();

    /// <summary>Time since the store was last read; null before the first time.</summary>
    public TimeSpan? Age => _snapshot.ReadAt is { } at ? time.GetElapsedTime(at) : null;

    /// <summary>Workers that were seen lately, whatever they have.</summary>
    public int LiveWorkers => _snapshot.LiveWorkers;

    /// <summary>Ends with the next reading of the store. Ask before looking, or the one that matters may be missed.</summary>
    public Task Next => _next.Task;

    public void Replace(Announcements announcements, IReadOnlyList<ModelWish> wishes, IReadOnlyList<HeldBackVersion> held)
    {
        var models = announcements.Models.Select(a => Wished.Apply(a, wishes)).GroupBy(a => a.Name).Select(model => ServedModel.From(model.Key, model.ToArray(), held));
        _snapshot = new Snapshot(models.ToFrozenDictionary(m => m.Name), announcements.LiveWorkers, time.GetTimestamp());
        Interlocked.Exchange(ref _next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    /// <summary>For ourselves, whoever may see it.</summary>
    public ServedModel? Find(string name) => _snapshot.Models.GetValueOrDefault(name);

    public ServedModel? Find(string tenant, string name) => access.IsVisible(name, tenant) ? Find(name) : null;

    /// <summary>The version that takes this call: the named one; or, where calls are shared among versions, the one that is drawn; or the newest ready one.</summary>
    /// <param name="context">Its caller and its headers keep it on its version where the model's owner asks for that.</param>
    /// <exception cref="RefusedException">404 when it is unknown, 503 when it is not ready.</exception>
    public RoutedVersion Choose(HttpContext context, string name, string? version)
    {
        if (version is not null || Find(context.Tenant(), name)?.Split is not { Main: not null } split)
            return new RoutedVersion(Ready(context.Tenant(), name, version), version);
        var drawn = split.Choose(StickyKey.Of(context, split));
        return new RoutedVersion(drawn, drawn.Version);
    }

    /// <summary>The named version, or the one that serves most calls that name none.</summary>
    /// <exception cref="RefusedException">404 when it is unknown, 503 when it is not ready.</exception>
    public ServedVersion Ready(string tenant, string name, string? version)
    {
        var found = Known(tenant, name, version);
        if (found.IsReady)
            return found;
        var detail = $"Version {found.Version} of model {name} is not ready: {found.Reason}";
        throw new RefusedException(new Refusal(ErrorCode.ModelNotReady, detail) { RetryAfter = 5 });
    }

    /// <summary>The named version, or the one that serves most calls that name none, or the newest.</summary>
    /// <exception cref="RefusedException">404 when it is unknown.</exception>
    public ServedVersion Known(string tenant, string name, string? version)
    {
        if (Find(tenant, name) is not { } model)
            throw new RefusedException(ErrorCode.ModelNotFound, "There is no model of this name; POST /v2/repository/index lists all.");
        if (version is null)
            return model.Main ?? model.Versions[^1];
        return model.Versions.FirstOrDefault(v => v.Version == version) ?? throw new RefusedException(
            ErrorCode.ModelNotFound, $"Model {name} has no such version; it has {string.Join(", ", model.Versions.Select(v => v.Version))}.");
    }

    /// <summary>As <see cref="Known"/>; its inputs and outputs are known.</summary>
    /// <exception cref="RefusedException">404 when it is unknown; 503, with the reason, when it never loaded.</exception>
    public ServedVersion Loaded(string tenant, string name, string? version) =>
        Known(tenant, name, version) is var found && found.Inputs.Count + found.Outputs.Count > 0 ? found : Ready(tenant, name, version);

    private sealed record Snapshot(FrozenDictionary<string, ServedModel> Models, int LiveWorkers, long? ReadAt);
}

/// <param name="Named">What the worker is told: null leaves it to take its newest.</param>
internal readonly record struct RoutedVersion(ServedVersion Served, string? Named);
