using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Millrace.Api.Models;
using Millrace.Storage.Announcements;

namespace Millrace.Api.Traffic;

/// <summary>How the calls of a model that name no version are shared among its versions. A version without a weight gets none of them.</summary>
internal sealed class TrafficSplit
{
    private readonly (ServedVersion Version, int Weight)[] _inForce;
    private readonly long _sum;

    private TrafficSplit(AnnouncedSettings settings, IReadOnlyList<ServedVersion> versions)
    {
        (Weights, IsSticky, StickyHeader, Versions) = (settings.Traffic, settings.IsSticky || settings.StickyHeader.Length > 0, settings.StickyHeader, versions);
        _inForce = [.. versions.Where(v => v.IsReady && v.HeldBack is null).Select(v => (v, Weight: Weights.GetValueOrDefault(v.Version))).Where(v => v.Weight > 0)];
        _sum = _inForce.Sum(v => (long)v.Weight);
        Main = _inForce.OrderByDescending(v => v.Weight).Select(v => v.Version).FirstOrDefault();
    }

    /// <summary>As the model's owner wants them, also for versions that are not there.</summary>
    public IReadOnlyDictionary<string, int> Weights { get; }
    public bool IsSticky { get; }
    public string StickyHeader { get; }

    /// <summary>All versions of the model.</summary>
    public IReadOnlyList<ServedVersion> Versions { get; }

    /// <summary>The version with the largest weight of those that can serve; the older of two alike. Null when none can: then calls go to the newest as if there were no split.</summary>
    public ServedVersion? Main { get; }

    /// <summary>Null when calls are not to be shared.</summary>
    public static TrafficSplit? Of(IReadOnlyList<ServedVersion> versions) =>
        (versions.LastOrDefault(v => v.IsReady) ?? versions[^1]).Settings is { Traffic.Count: > 0 } settings ? new TrafficSplit(settings, versions) : null;

    /// <summary>The share of the unnamed calls that it gets now.</summary>
    public double Share(string version) => _inForce.FirstOrDefault(v => v.Version.Version == version) is { Version: not null } found ? (double)found.Weight / _sum : 0;

    /// <summary>A version on trial: it has a share, and another has the largest.</summary>
    public IEnumerable<ServedVersion> OnTrial => _inForce.Select(v => v.Version).Where(v => v != Main);

    /// <param name="key">Who calls; null leaves it to chance.</param>
    public ServedVersion Choose(string? key) => key is null ? ByChance() : ByKey(key);

    private ServedVersion ByChance()
    {
        var at = Random.Shared.NextInt64(_sum);
        foreach (var (version, weight) in _inForce)
        {
            if ((at -= weight) < 0)
                return version;
        }
        throw new InvalidOperationException("No version is in force.");
    }

    /// <summary>Each version draws a lot for the key, the heavier the better; so when weights or versions change, no more callers move than must.</summary>
    /// <remarks>Source: weighted rendezvous hashing.</remarks>
    private ServedVersion ByKey(string key) => _inForce.MinBy(v => -Math.Log(Lot(v.Version, key)) / v.Weight).Version;

    /// <returns>Above 0, up to 1; the same in every replica.</returns>
    private static double Lot(ServedVersion version, string key)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{version.Model}\n{version.Version}\n{key}"));
        return ((BinaryPrimitives.ReadUInt64BigEndian(hash) >> 11) + 1) / (double)(1UL << 53);
    }
}
