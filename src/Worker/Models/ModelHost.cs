using Millrace.Storage.Announcements;
using Millrace.Worker.Batching;

namespace Millrace.Worker.Models;

/// <summary>The versions that this worker serves, each with its batcher.</summary>
internal sealed class ModelHost : IDisposable
{
    private readonly Dictionary<string, List<Batcher>> _versions = []; // of each model, oldest first
    private readonly List<AnnouncedModel> _broken = [];

    public IReadOnlyCollection<string> Names => _versions.Keys;

    public void Add(Batcher batcher)
    {
        if (!_versions.TryGetValue(batcher.Model.Name, out var versions))
            _versions.Add(batcher.Model.Name, versions = []);
        versions.Add(batcher);
    }

    public void AddBroken(IEnumerable<AnnouncedModel> broken) => _broken.AddRange(broken);

    /// <summary>That version, or the newest when none is named; null when it is not here.</summary>
    public Batcher? Find(string model, string? version)
    {
        if (!_versions.TryGetValue(model, out var versions))
            return null;
        return version is null ? versions[^1] : versions.Find(b => b.Model.Version == version);
    }

    public IReadOnlyList<Batcher> Versions(string model) => _versions[model];

    public IReadOnlyList<AnnouncedModel> Announce() =>
        [.. _versions.Values.SelectMany(v => v).Select(b => b.Model.Announce()), .. _broken];

    public void Dispose()
    {
        foreach (var batcher in _versions.Values.SelectMany(v => v))
            batcher.Dispose();
    }
}
