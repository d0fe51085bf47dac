using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Jobs;
using Millrace.Api.Models;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Queues;

/// <param name="OldestSeconds">Age of the oldest queued job; 0 when none waits.</param>
/// <param name="DrainPerSecond">Jobs that ended per second, over the last half minute.</param>
public sealed record QueueView(string Model, long Queued, long Running, double OldestSeconds, double DrainPerSecond, bool Paused);

public sealed record QueueList(IReadOnlyList<QueueView> Data);

internal static class QueueEndpoints
{
    public static void MapQueues(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v1/queues").WithTags("Queues");
        group.MapGet("/", ListAsync).WithName("ListQueues").WithSummary("Depth, age and drain rate of every model's queue").Produces<QueueList>();
        group.MapGet("/{model}", ReadAsync).WithName("ReadQueue").WithSummary("The same of one model")
            .Produces<QueueView>().Produces<Problem>(404, "application/problem+json");
    }

    private static async Task ListAsync(HttpContext context, IJobStore store, ModelCatalog catalog, DrainMeter drain, TimeProvider time)
    {
        Queries.AllowOnly(context.Request);
        var depths = (await store.ReadQueuesAsync(null, context.RequestAborted)).ToDictionary(d => d.Model);
        var models = catalog.All.Select(m => m.Name).Union(depths.Keys).Order(StringComparer.Ordinal);
        var views = models.Select(m => View(m, depths.GetValueOrDefault(m), drain, time)).ToArray();
        await JsonBody.WriteAsync(context, new QueueList(views), ApiJson.Default.QueueList);
    }

    private static async Task ReadAsync(HttpContext context, IJobStore store, ModelCatalog catalog, DrainMeter drain, TimeProvider time, string model)
    {
        Queries.AllowOnly(context.Request);
        var depth = (await store.ReadQueuesAsync(model, context.RequestAborted)) is [var only] ? only : null;
        if (depth is null && catalog.Find(model) is null)
            throw new RefusedException(ErrorCode.ModelNotFound, "There is no model of this name, and no job for it.");
        await JsonBody.WriteAsync(context, View(model, depth, drain, time), ApiJson.Default.QueueView);
    }

    private static QueueView View(string model, QueueDepth? depth, DrainMeter drain, TimeProvider time)
    {
        var age = depth?.Oldest is { } oldest ? Math.Max(0, (time.GetUtcNow() - oldest).TotalSeconds) : 0;
        return new QueueView(model, depth?.Queued ?? 0, depth?.Running ?? 0, Math.Round(age, 3), Math.Round(drain.PerSecond(model), 3), Paused: false);
    }
}
