using System.Collections.Frozen;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Storage.Announcements;

namespace Millrace.Api.Models;

/// <summary>The models that workers announced, in memory; <see cref="CatalogRefresh"/> keeps it fresh.</summary>
internal sealed class ModelCatalog(ModelAccess access, TimeProvider time)
{
    private volatile Snapshot _snapshot = new(FrozenDictionary<string, ServedModel>.Empty, null);

    public IReadOnlyList<ServedModel> All => _snapshot.Models.Values.OrderBy(m => m.Name, StringComparer.Ordinal).ToArray();

    public IReadOnlyList<ServedModel> VisibleTo(string tenant) => All.Where(m => access.IsVisible(m.Name, tenant)).ToArray();

    /// <summary>Time since the store was last read; null before the first time.</summary>
    public TimeSpan? Age => _snapshot.ReadAt is { } at ? time.GetElapsedTime(at) : null;

    public void Replace(Announcements announcements)
    {
        var models = announcements.Models.GroupBy(a => a.Name).Select(model => new ServedModel(model.Key, model.GroupBy(a => a.Version)
            .Select(version => ServedVersion.From(version.ToArray())).OrderBy(v => v.Version.Length).ThenBy(v => v.Version, StringComparer.Ordinal).ToArray()));
        _snapshot = new Snapshot(models.ToFrozenDictionary(m => m.Name), time.GetTimestamp());
    }

    /// <summary>For ourselves, whoever may see it.</summary>
    public ServedModel? Find(string name) => _snapshot.Models.GetValueOrDefault(name);

    public ServedModel? Find(string tenant, string name) => access.IsVisible(name, tenant) ? Find(name) : null;

    /// <summary>The named version, or the newest ready one.</summary>
    /// <exception cref="RefusedException">404 when it is unknown, 503 when it is not ready.</exception>
    public ServedVersion Ready(string tenant, string name, string? version)
    {
        var found = Known(tenant, name, version);
        if (found.IsReady)
            return found;
        var detail = $"Version {found.Version} of model {name} is not ready: {found.Reason}";
        throw new RefusedException(new Refusal(ErrorCode.ModelNotReady, detail) { RetryAfter = 5 });
    }

    /// <summary>The named version, or the newest, preferring a ready one.</summary>
    /// <exception cref="RefusedException">404 when it is unknown.</exception>
    public ServedVersion Known(string tenant, string name, string? version)
    {
        if (Find(tenant, name) is not { } model)
            throw new RefusedException(ErrorCode.ModelNotFound, "There is no model of this name; POST /v2/repository/index lists all.");
        if (version is null)
            return model.Newest ?? model.Versions[^1];
        return model.Versions.FirstOrDefault(v => v.Version == version) ?? throw new RefusedException(
            ErrorCode.ModelNotFound, $"Model {name} has no such version; it has {string.Join(", ", model.Versions.Select(v => v.Version))}.");
    }

    private sealed record Snapshot(FrozenDictionary<string, ServedModel> Models, long? ReadAt);
}
