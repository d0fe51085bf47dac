using System.Globalization;
using System.Text;
using Millrace.Api.Errors;

namespace Millrace.Architecture.Tests.Documents;

internal static class ErrorsPage
{
    public static string Write()
    {
        var page = new StringBuilder("\n| Status | Code | Title | When it is sent, and what to do |\n|--:|---|---|---|\n");
        foreach (var error in ErrorCodes.All.Values.OrderBy(e => e.Status).ThenBy(e => e.Code))
            page.Append(CultureInfo.InvariantCulture, $"| {error.Status} | `{error.Name}` | {error.Title} | {Generated.Cell(error.Meaning)} |\n");
        return page.ToString();
    }
}
