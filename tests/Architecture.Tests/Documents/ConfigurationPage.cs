using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Hosting.Configuration;
using Millrace.Rollback;
using Millrace.Rollback.Drill;
using Millrace.Standalone;

namespace Millrace.Architecture.Tests.Documents;

/// <summary>Every setting with its default, from the options themselves, and what its docstring says.</summary>
internal static partial class ConfigurationPage
{
    private static readonly string[] Order = ["Http", "Access", "RateLimit", "Limits", "Backlog", "Sync", "Store", "Broker", "Breaker", "Models", "Repository", "Traffic", "Worker", "Dispatch", "Reconciler", "Drain", "Management", "Logs", "Traces", "Chaos", "Faults", "Rollback", "Drill"];

    public static string Write()
    {
        using var app = (IDisposable)StandaloneApp.Build([]);
        var sections = ((WebApplication)app).Services.GetServices<SettingsSection>()
            .Append(new SettingsSection("Rollback", typeof(RollbackOptions))).Append(new SettingsSection("Drill", typeof(DrillOptions))) // of a program of its own
            .OrderBy(s => Array.IndexOf(Order, s.Name) is >= 0 and var at ? at : int.MaxValue);
        var page = new StringBuilder();
        foreach (var section in sections)
        {
            page.Append(CultureInfo.InvariantCulture, $"\n## {section.Name}\n\n{Summary(section.Options, $"T:{section.Options.FullName}")}\n\n");
            page.Append("| Setting | Environment variable | Default | Meaning |\n|---|---|---|---|\n");
            var defaults = Activator.CreateInstance(section.Options);
            foreach (var setting in section.Options.GetProperties())
            {
                var name = $"Millrace:{section.Name}:{setting.Name}";
                page.Append(CultureInfo.InvariantCulture, $"| `{name}` | `{name.Replace(":", "__", StringComparison.Ordinal).ToUpperInvariant()}` | {Default(setting.GetValue(defaults))} | ");
                page.Append(CultureInfo.InvariantCulture, $"{Generated.Cell(Summary(section.Options, $"P:{section.Options.FullName}.{setting.Name}"))} |\n");
            }
        }
        return page.ToString();
    }

    private static string Default(object? value) => value switch
    {
        null or "" => "empty",
        string text => $"`{text}`",
        bool flag => flag ? "`true`" : "`false`",
        TimeSpan time => $"`{time:c}`",
        IDictionary => "none",
        IFormattable number => $"`{number.ToString(null, CultureInfo.InvariantCulture)}`{Size(Convert.ToDouble(value, CultureInfo.InvariantCulture))}",
        _ => throw new InvalidOperationException($"No way to write {value.GetType()}"),
    };

    private static string Size(double value) => value >= 1 << 20 && value % (1 << 20) == 0 ? string.Create(CultureInfo.InvariantCulture, $" ({value / (1 << 20)} Mi)") : "";

    internal static string Summary(Type options, string member)
    {
        var file = Path.ChangeExtension(options.Assembly.Location, ".xml");
        var summary = XDocument.Load(file).Descendants("member").FirstOrDefault(m => (string?)m.Attribute("name") == member)?.Element("summary")
            ?? throw new InvalidOperationException($"{member} has no docstring.");
        return Space().Replace(string.Concat(summary.Nodes().Select(Text)), " ").Trim();
    }

    private static string Text(XNode node) => node switch
    {
        XText text => text.Value,
        XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
        XElement { Name.LocalName: "see" } link when link.Attribute("href") is { } url => $"[{link.Value}]({url.Value})",
        XElement { Name.LocalName: "see" } see => $"`{((string)see.Attribute("cref")!).Split('.')[^1]}`",
        _ => throw new InvalidOperationException($"No way to write {node}"),
    };

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
