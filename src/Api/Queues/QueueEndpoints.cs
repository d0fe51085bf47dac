using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Jobs;
using Millrace.Api.Models;
using Millrace.Storage.Jobs;
using Millrace.Storage.Queues;

namespace Millrace.Api.Queues;

/// <param name="OldestSeconds">Age of the oldest queued job; 0 when none waits.</param>
/// <param name="DrainPerSecond">Jobs that ended per second, over the last half minute.</param>
public sealed record QueueView(string Model, long Queued, long Running, double OldestSeconds, double DrainPerSecond, bool Paused);

public sealed record QueueList(IReadOnlyList<QueueView> Data);

internal static class QueueEndpoints
{
    private const string ProblemJson = "application/problem+json";

    public static void MapQueues(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v1/queues").WithTags("Queues");
        group.MapGet("/", ListAsync).WithName("ListQueues").WithSummary("Depth, age and drain rate of every model's queue").Produces<QueueList>();
        group.MapGet("/{model}", ReadAsync).WithName("ReadQueue").WithSummary("The same of one model")
            .Produces<QueueView>().Produces<Problem>(404, ProblemJson);
        group.MapPost("/{model}/pause", QueueOperations.PauseAsync).WithName("PauseQueue").WithSummary("Start no job of the model; accepting goes on")
            .Produces<QueueView>().Produces<Problem>(404, ProblemJson);
        group.MapPost("/{model}/resume", QueueOperations.ResumeAsync).WithName("ResumeQueue").WithSummary("Start jobs of the model again")
            .Produces<QueueView>().Produces<Problem>(404, ProblemJson);
        group.MapPost("/{model}/redispatch", QueueOperations.RedispatchAsync).WithName("RedispatchQueue").WithSummary("Publish the tickets that the broker lost")
            .Produces<RedispatchView>().Produces<Problem>(404, ProblemJson).Produces<Problem>(503, ProblemJson);
        group.MapPost("/{model}/purge", QueueOperations.PurgeAsync).WithName("PurgeQueue").WithSummary("Cancel what waits, or count it first with dry_run")
            .Accepts<PurgeRequest>("application/json", "*/*").Produces<PurgeView>().Produces<Problem>(400, ProblemJson).Produces<Problem>(404, ProblemJson);
    }

    private static async Task ListAsync(HttpContext context, IJobStore store, IQueueStore queues, ModelCatalog catalog, DrainMeter drain, TimeProvider time)
    {
        Queries.AllowOnly(context.Request);
        var depths = (await store.ReadQueuesAsync(null, context.RequestAborted)).ToDictionary(d => d.Model);
        var paused = await queues.ReadPausedAsync(context.RequestAborted);
        var models = catalog.All.Select(m => m.Name).Union(depths.Keys).Order(StringComparer.Ordinal);
        var views = models.Select(m => View(m, depths.GetValueOrDefault(m), drain, time, paused.Contains(m))).ToArray();
        await JsonBody.WriteAsync(context, new QueueList(views), ApiJson.Default.QueueList);
    }

    private static async Task ReadAsync(HttpContext context, IJobStore store, IQueueStore queues, ModelCatalog catalog, DrainMeter drain, TimeProvider time, string model)
    {
        Queries.AllowOnly(context.Request);
        var depth = (await store.ReadQueuesAsync(model, context.RequestAborted)) is [var only] ? only : null;
        if (depth is null && catalog.Find(model) is null)
            throw Unknown();
        var paused = (await queues.ReadPausedAsync(context.RequestAborted)).Contains(model);
        await JsonBody.WriteAsync(context, View(model, depth, drain, time, paused), ApiJson.Default.QueueView);
    }

    internal static RefusedException Unknown() => new(ErrorCode.ModelNotFound, "There is no model of this name, and no job for it.");

    internal static QueueView View(string model, QueueDepth? depth, DrainMeter drain, TimeProvider time, bool paused)
    {
        var age = depth?.Oldest is { } oldest ? Math.Max(0, (time.GetUtcNow() - oldest).TotalSeconds) : 0;
        return new QueueView(model, depth?.Queued ?? 0, depth?.Running ?? 0, Math.Round(age, 3), Math.Round(drain.PerSecond(model), 3), paused);
    }
}
