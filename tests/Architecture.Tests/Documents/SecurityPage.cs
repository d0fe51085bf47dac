using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Millrace.Tests.Support;

namespace Millrace.Architecture.Tests.Documents;

/// <summary>Every attack with the tests that make it, or why none does.</summary>
internal static partial class SecurityPage
{
    public static string Write()
    {
        var tests = Tests().ToLookup(t => t.Row, t => t.Test);
        var unknown = tests.Select(t => t.Key).Except(Attacks.All.Select(a => a.Row)).ToArray();
        Assert.True(unknown.Length == 0, $"No such rows: {string.Join(", ", unknown)}");
        var page = new StringBuilder("\n| Row | Attack | Answer | Tests, or why there is none |\n|--:|---|---|---|\n");
        foreach (var (row, attack, answer, missing) in Attacks.All)
        {
            var found = tests[row].Distinct().Order(StringComparer.Ordinal).ToArray();
            Assert.True(found.Length > 0 || missing is not null, $"S{row} has neither a test nor a reason.");
            page.Append(CultureInfo.InvariantCulture, $"| S{row} | {Generated.Cell(attack)} | {Generated.Cell(answer)} | {Generated.Cell(string.Join("; ", found.Concat(missing is null ? [] : [$"*not tested*: {missing}"])))} |\n");
        }
        page.Append(CultureInfo.InvariantCulture, $"\n{Attacks.All.Count(a => tests.Contains(a.Row))} of {Attacks.All.Count} rows have a test.\n");
        return page.ToString();
    }

    private static IEnumerable<(int Row, string Test)> Tests()
    {
        var folder = Path.Combine(Repository.Root, "tests");
        foreach (var file in Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories))
        {
            foreach (Match mark in Mark().Matches(File.ReadAllText(file)))
            {
                foreach (Match row in Number().Matches(mark.Groups["rows"].Value))
                    yield return (int.Parse(row.Value, CultureInfo.InvariantCulture), Path.GetRelativePath(folder, file).Replace(".cs", "", StringComparison.Ordinal));
            }
        }
    }

    [GeneratedRegex(@"\[Attack\((?<rows>[0-9, ]+)\)\]")]
    private static partial Regex Mark();

    [GeneratedRegex(@"\d+")]
    private static partial Regex Number();
}
