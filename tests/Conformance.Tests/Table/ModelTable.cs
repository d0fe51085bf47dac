using Millrace.Tests.Support;

namespace Millrace.Conformance.Tests.Table;

/// <summary>The models below tests/conformance/models, as <c>make_models.py</c> wrote them.</summary>
internal static class ModelTable
{
    private const string Unserved = "unserved_";

    public static string Folder => Path.Combine(Repository.Root, "tests", "conformance", "models");

    /// <summary>Those that the protocol can serve.</summary>
    public static IReadOnlyList<string> Names { get; } = Folders().Where(n => !n.StartsWith(Unserved, StringComparison.Ordinal)).ToArray();

    /// <summary>Those with inputs or outputs that the protocol has no words for.</summary>
    public static IReadOnlyList<string> UnservedNames { get; } = Folders().Where(n => n.StartsWith(Unserved, StringComparison.Ordinal)).ToArray();

    public static TableModel Open(string name) => new(Path.Combine(Folder, name));

    private static IEnumerable<string> Folders() => Directory.GetDirectories(Folder).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal);
}
