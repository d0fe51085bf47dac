using System.Collections.Concurrent;
using Millrace.Api.Models;
using Millrace.Messages;

namespace Millrace.Api.Traffic;

/// <summary>What this replica's clients saw of versions that share the traffic: synchronous calls, whether they named the version or not.</summary>
internal sealed class TrafficMeter(ModelCatalog catalog, TrafficOptions options, TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Model, string Version, string Hash), CallWindow> _windows = new();

    /// <param name="version">Null for a model without a split.</param>
    /// <param name="allowed">What the call might take.</param>
    public void Note(string model, string? version, InferFailure failure, TimeSpan allowed, TimeSpan took)
    {
        if (version is null || catalog.Find(model)?.Split is not { } split || split.Weights.GetValueOrDefault(version) <= 0)
            return;
        if (split.Versions.FirstOrDefault(v => v.Version == version) is { } served && Failed(failure, allowed) is { } failed)
            _windows.GetOrAdd(Key(served), _ => new CallWindow(options.Window, options.LongestP95, time)).Add(failed, took);
    }

    public CallCounts Read(ServedVersion version) => _windows.TryGetValue(Key(version), out var window) ? window.Read() : default;

    /// <summary>What was before says nothing any more.</summary>
    public void Forget(ServedVersion version) => _windows.TryRemove(Key(version), out _);

    /// <summary>Forgets all others: their models have no split any more, or another file.</summary>
    public void KeepOnly(IEnumerable<ServedVersion> versions)
    {
        var known = versions.Select(Key).ToHashSet();
        foreach (var key in _windows.Keys.Where(k => !known.Contains(k)))
            _windows.TryRemove(key, out _);
    }

    /// <summary>Whether it is the model's doing; null where it says nothing of the model: a bad input, a worker that leaves, a client that allowed less time than a good answer may take.</summary>
    private bool? Failed(InferFailure failure, TimeSpan allowed) => failure switch
    {
        InferFailure.None => false,
        InferFailure.ModelError or InferFailure.ModelNotReady or InferFailure.WorkerLost => true,
        InferFailure.DeadlineExceeded => allowed > options.LongestP95 ? true : null,
        _ => null,
    };

    private static (string, string, string) Key(ServedVersion version) => (version.Model, version.Version, version.Hash);
}
