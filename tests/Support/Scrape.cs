using System.Globalization;
using System.Text.RegularExpressions;

namespace Millrace.Tests.Support;

/// <summary>What a process showed at <c>/metrics</c>, as Prometheus would read it.</summary>
public sealed partial class Scrape
{
    private readonly List<(string Name, IReadOnlyDictionary<string, string> Labels, double Value)> _series = [];

    public IReadOnlyList<(string Name, IReadOnlyDictionary<string, string> Labels, double Value)> Series => _series;

    public static async Task<Scrape> OfAsync(HttpClient management)
    {
        var scrape = new Scrape();
        foreach (var line in (await management.FetchAsync("/metrics")).MustBe(200).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => l[0] != '#'))
        {
            var match = Form().Match(line);
            var labels = Label().Matches(match.Groups["labels"].Value).ToDictionary(l => l.Groups["name"].Value, l => l.Groups["value"].Value);
            scrape._series.Add((match.Groups["name"].Value, labels, double.Parse(match.Groups["value"].Value.Replace("Inf", "Infinity", StringComparison.Ordinal), CultureInfo.InvariantCulture)));
        }
        return scrape;
    }

    /// <summary>The sum over all series that have these labels; 0 where there is none.</summary>
    public double Sum(string name, params (string Name, string Value)[] labels) =>
        _series.Where(s => s.Name == name && labels.All(l => s.Labels.GetValueOrDefault(l.Name) == l.Value)).Sum(s => s.Value);

    [GeneratedRegex(@"^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?<labels>.*)\})? (?<value>\S+)( \d+)?$")]
    private static partial Regex Form();

    [GeneratedRegex(@"(?<name>[a-zA-Z_][a-zA-Z0-9_]*)=""(?<value>(\\.|[^""\\])*)""")]
    private static partial Regex Label();
}
