using System.Globalization;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Hosting.Telemetry;
using Millrace.Tests.Support;

namespace Millrace.Architecture.Tests.Documents;

/// <summary>Every metric with its labels and what it says of itself, from a server that runs.</summary>
internal static class MetricsPage
{
    public static async Task<string> WriteAsync()
    {
        await using var server = await MillraceServer.StartAsync();
        var page = new StringBuilder("\n| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n");
        foreach (var metric in server.Services.GetRequiredService<Instruments>().All.DistinctBy(m => m.Name).OrderBy(m => m.Name, StringComparer.Ordinal))
        {
            var labels = metric.Labels.Count == 0 ? "none" : string.Join(", ", metric.Labels.Select(l => $"`{l}`"));
            page.Append(CultureInfo.InvariantCulture, $"| `{metric.Name}` | {metric.Type} | {labels} | {Generated.Cell(metric.Help)} |\n");
        }
        return page.ToString();
    }
}
