using System.Globalization;
using System.Text.RegularExpressions;

namespace Millrace.Drill;

/// <summary>The rules as they are, but for time: every window, every `for`, every offset and every interval is divided by one number. Thresholds stay.</summary>
internal static partial class Rules
{
    /// <returns>What was changed, each line once.</returns>
    public static IReadOnlyList<string> Scale(string from, string to, int factor)
    {
        var changes = new SortedSet<string>(StringComparer.Ordinal);
        var scaled = Duration().Replace(File.ReadAllText(from), match =>
        {
            var (before, after) = (match.Groups["time"].Value, Divide(match.Groups["time"].Value, factor));
            changes.Add($"{match.Groups["what"].Value.Trim(' ', ':', '[') switch { "" => "window", var what => what }} {before} -> {after}");
            return match.Value.Replace(before, after, StringComparison.Ordinal);
        });
        File.WriteAllText(to, scaled);
        return [.. changes];
    }

    private static string Divide(string duration, int factor)
    {
        var number = int.Parse(duration.TrimEnd('m', 's', 'h', 'd'), CultureInfo.InvariantCulture);
        var milliseconds = number * (duration[^1] switch { 's' => 1_000, 'm' => 60_000, 'h' => 3_600_000, _ => 86_400_000 });
        return string.Create(CultureInfo.InvariantCulture, $"{milliseconds / factor}ms");
    }

    [GeneratedRegex(@"(?<what>\[|\b(for|interval): |\boffset )(?<time>\d+[smhd])\b")]
    private static partial Regex Duration();
}
