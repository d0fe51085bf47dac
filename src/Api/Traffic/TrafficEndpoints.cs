using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Jobs;
using Millrace.Api.Models;
using Millrace.Storage.Access;
using Millrace.Storage.Models;

namespace Millrace.Api.Traffic;

/// <summary>How the calls of a model that name no version are shared.</summary>
/// <param name="StickyHeader">The request header that keeps a caller on its version; empty: its key.</param>
public sealed record TrafficView(string Model, bool Sticky, string StickyHeader, IReadOnlyList<VersionTraffic> Versions)
{
    internal static TrafficView From(string model, TrafficSplit split, TrafficMeter meter) => new(
        model, split.IsSticky, split.StickyHeader, split.Versions.Where(v => split.Weights.ContainsKey(v.Version)).Select(v => VersionTraffic.From(v, split, meter.Read(v))).ToArray());
}

/// <param name="Weight">As the model's owner set it.</param>
/// <param name="Share">Of the calls, now: 0 while it is not ready or held back.</param>
/// <param name="HeldBack">Why it is out of the traffic; null when it is not.</param>
/// <param name="Calls">That this replica saw in the window that is judged, with their P95 in seconds and how many failed.</param>
public sealed record VersionTraffic(string Version, int Weight, double Share, bool Ready, HeldBackView? HeldBack, int Calls, int Failed, double P95)
{
    internal static VersionTraffic From(ServedVersion version, TrafficSplit split, CallCounts calls) => new(
        version.Version, split.Weights[version.Version], Math.Round(split.Share(version.Version), 4), version.IsReady,
        version.HeldBack is { } held ? new HeldBackView(held.Reason, held.At.UtcDateTime) : null, calls.Calls, calls.Errors, Math.Round(calls.P95, 3));
}

public sealed record HeldBackView(string Reason, DateTime At);

public sealed record TrafficList(IReadOnlyList<TrafficView> Data);

internal static class TrafficEndpoints
{
    private const string ProblemJson = "application/problem+json";

    public static void MapTraffic(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v1/traffic").WithTags("Traffic");
        group.MapGet("/", List).Needs(Roles.Read | Roles.Operate).WithName("ListTraffic").WithSummary("Models whose calls are shared among versions, and versions that were taken out").Produces<TrafficList>();
        group.MapPost("/{model}/versions/{version}/release", ReleaseAsync).Needs(Roles.Operate, "traffic.release").WithName("ReleaseVersion")
            .WithSummary("Put a version back into the traffic that was taken out of it").Produces(204).Produces<Problem>(404, ProblemJson);
    }

    private static Task List(HttpContext context, ModelCatalog catalog, TrafficMeter meter)
    {
        Queries.AllowOnly(context.Request);
        var models = context.Caller().Roles.HasFlag(Roles.Operate) ? catalog.All : catalog.VisibleTo(context.Tenant());
        var views = models.Where(m => m.Split is not null).Select(m => TrafficView.From(m.Name, m.Split!, meter)).ToArray();
        return JsonBody.WriteAsync(context, new TrafficList(views), ApiJson.Default.TrafficList);
    }

    private static async Task ReleaseAsync(HttpContext context, IModelStore store, CatalogRefresh refresh, CanaryGuard guard, string model, string version)
    {
        Queries.AllowOnly(context.Request);
        if (!await store.ReleaseAsync(model, version, context.Audit($"{model}/{version}"), context.RequestAborted))
            throw new RefusedException(ErrorCode.NotFound, "No such version is held back; GET /v1/traffic lists those that are.");
        await refresh.RunOnceAsync(CancellationToken.None);
        guard.Wake();
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }
}
