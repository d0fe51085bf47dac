using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Millrace.Hosting.Management;

/// <param name="Status">ok; degraded, which still takes work; failing, which does not.</param>
public sealed record HealthView(string Status, IReadOnlyList<CheckView> Checks);

public sealed record CheckView(string Name, string Status, string? Detail);

internal static class HealthReportJson
{
    public static Task WriteAsync(HttpContext context, HealthReport report)
    {
        var checks = report.Entries.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => new CheckView(e.Key, Name(e.Value.Status), e.Value.Description ?? e.Value.Exception?.Message));
        context.Response.ContentType = "application/json";
        return context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(new HealthView(Name(report.Status), [.. checks]), ManagementJson.Default.HealthView)).AsTask();
    }

    private static string Name(HealthStatus status) => status switch
    {
        HealthStatus.Healthy => "ok",
        HealthStatus.Degraded => "degraded",
        _ => "failing",
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(HealthView))]
internal sealed partial class ManagementJson : JsonSerializerContext;
