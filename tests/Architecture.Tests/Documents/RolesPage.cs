using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Routing;
using Millrace.Standalone;

namespace Millrace.Architecture.Tests.Documents;

/// <summary>What each route asks of its caller, from the routes themselves.</summary>
internal static class RolesPage
{
    public static string Write()
    {
        var page = new StringBuilder("\n| Method | Route | Needs |\n|---|---|---|\n");
        foreach (var (method, path, needs) in Routes())
            page.Append(CultureInfo.InvariantCulture, $"| {method} | `{path}` | {needs} |\n");
        return page.ToString();
    }

    private static IEnumerable<(string Method, string Path, string Needs)> Routes()
    {
        using var app = (IDisposable)StandaloneApp.Build([]);
        return ((IEndpointRouteBuilder)app).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
            .SelectMany(e => (e.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET"]).Select(m => (Method: m, Path: "/" + e.RoutePattern.RawText!.Trim('/'), Needs: Needs(e))))
            .Where(r => r.Method != "HEAD").OrderBy(r => r.Path, StringComparer.Ordinal).ThenBy(r => r.Method, StringComparer.Ordinal).ToArray();
    }

    private static string Needs(RouteEndpoint endpoint)
    {
        var requirement = endpoint.Metadata.FirstOrDefault(m => m.GetType().Name == "Requirement") ?? throw new InvalidOperationException($"{endpoint.RoutePattern.RawText} asks nothing of its caller.");
        var roles = requirement.GetType().GetProperty("Roles")!.GetValue(requirement)!.ToString()!;
        if ((bool)requirement.GetType().GetProperty("IsOpen")!.GetValue(requirement)!)
            return "nothing";
        return roles == "None" ? "any key" : roles.ToLowerInvariant().Replace(", ", " or ", StringComparison.Ordinal);
    }
}
