using Millrace.Rollback.Kubernetes;
using Millrace.Rollback.Releases;

namespace Millrace.Rollback.Health;

internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", static () => Results.Json(new HealthView("ok", []), RollbackJson.Default.HealthView));
        routes.MapGet("/health/ready", ReadyAsync);
    }

    public static void MapMetrics(this IEndpointRouteBuilder routes) => routes.MapGet("/metrics", static (HttpContext context, RollbackMetrics metrics) =>
    {
        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        return metrics.WriteAsync(context.Response.Body, context.RequestAborted);
    });

    /// <summary>Ready is who can read the record: address, token, permission and record are right then.</summary>
    private static async Task<IResult> ReadyAsync(ReleaseRecord record, CancellationToken cancellation)
    {
        try
        {
            var release = await record.ReadAsync(cancellation);
            return Answer(200, new CheckView("release", "ok", $"{release.Active} is active, {(release.Previous.Length > 0 ? release.Previous : "none")} is previous"));
        }
        catch (KubernetesException error) { return Answer(503, new CheckView("release", "failing", error.Message)); }
        catch (ReleaseException error) { return Answer(503, new CheckView("release", "failing", error.Message)); }
    }

    private static IResult Answer(int status, CheckView check) => Results.Json(new HealthView(check.Status, [check]), RollbackJson.Default.HealthView, statusCode: status);
}

internal sealed record HealthView(string Status, IReadOnlyList<CheckView> Checks);

internal sealed record CheckView(string Name, string Status, string Detail);
