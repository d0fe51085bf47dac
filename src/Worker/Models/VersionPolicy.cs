using System.Collections.Frozen;

namespace Millrace.Worker.Models;

/// <summary>Which of a model's versions are served: all, the newest so many that load, or those named.</summary>
/// <param name="Most">So many of the newest; a version that can't be loaded does not count.</param>
/// <param name="Named">Those alone; null for any.</param>
/// <param name="Json">As it is announced.</param>
internal sealed record VersionPolicy(int Most, FrozenSet<string>? Named, string Json)
{
    public static readonly VersionPolicy All = new(int.MaxValue, null, """{"all":{}}""");

    public bool Allows(string version) => Named is null || Named.Contains(version);
}
