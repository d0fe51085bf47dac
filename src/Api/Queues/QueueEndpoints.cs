using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Jobs;
using Millrace.Api.Models;
using Millrace.Storage.Access;
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
        group.MapGet("/", ListAsync).Needs(Roles.Read | Roles.Operate).WithName("ListQueues").WithSummary("Depth, age and drain rate of every model's queue").Produces<QueueList>();
        group.MapGet("/{model}", ReadAsync).Needs(Roles.Read | Roles.Operate).WithName("ReadQueue").WithSummary("The same of one model")
            .Produces<QueueView>().Produces<Problem>(404, ProblemJson);
        group.MapPost("/{model}/pause", QueueOperations.PauseAsync).Needs(Roles.Operate, "queue.pause").WithName("PauseQueue").WithSummary("Start no job of the model; accepting goes on")
            .Produces<QueueView>().Produces<Problem>(404, ProblemJson);
        group.MapPost("/{model}/resume", QueueOperations.ResumeAsync).Needs(Roles.Operate, "queue.resume").WithName("ResumeQueue").WithSummary("Start jobs of the model again")
            .Produces<QueueView>().Produces<Problem>(404, ProblemJson);
        group.MapPost("/{model}/redispatch", QueueOperations.RedispatchAsync).Needs(Roles.Operate, "queue.redispatch").WithName("RedispatchQueue").WithSummary("Publish the tickets that the broker lost")
            .Produces<RedispatchView>().Produces<Problem>(404, ProblemJson).Produces<Problem>(503, ProblemJson);
        group.MapPost("/{model}/purge", QueueOperations.PurgeAsync).Needs(Roles.Operate, "queue.purge").WithName("PurgeQueue").WithSummary("Cancel what waits, or count it first with dry_run")
            .Accepts<PurgeRequest>("application/json", "*/*").Produces<PurgeView>().Produces<Problem>(400, ProblemJson).Produces<Problem>(404, ProblemJson);
    }

    private static async Task ListAsync(HttpContext context, IJobStore store, IQueueStore queues, ModelCatalog catalog, DrainMeter drain, TimeProvider time)
    {
        Queries.AllowOnly(context.Request);
        var depths = (await store.ReadQueuesAsync(null, context.RequestAborted)).Where(d => Shows(context, d)).GroupBy(d => d.Model).ToDictionary(d => d.Key, d => d.ToArray());
        var paused = await queues.ReadPausedAsync(context.RequestAborted);
        var models = catalog.VisibleTo(context.Tenant()).Select(m => m.Name).Union(depths.Keys).Order(StringComparer.Ordinal);
        var views = models.Select(m => View(m, depths.GetValueOrDefault(m, []), drain, time, paused.Contains(m))).ToArray();
        await JsonBody.WriteAsync(context, new QueueList(views), ApiJson.Default.QueueList);
    }

    private static async Task ReadAsync(HttpContext context, IJobStore store, IQueueStore queues, ModelCatalog catalog, DrainMeter drain, TimeProvider time, string model)
    {
        Queries.AllowOnly(context.Request);
        var depths = (await store.ReadQueuesAsync(model, context.RequestAborted)).Where(d => Shows(context, d)).ToArray();
        if (depths.Length == 0 && catalog.Find(context.Tenant(), model) is null)
            throw Unknown();
        var paused = (await queues.ReadPausedAsync(context.RequestAborted)).Contains(model);
        await JsonBody.WriteAsync(context, View(model, depths, drain, time, paused), ApiJson.Default.QueueView);
    }

    internal static RefusedException Unknown() => new(ErrorCode.ModelNotFound, "There is no model of this name, and no job for it.");

    /// <summary>Who operates the queues sees them whole; others see what is theirs.</summary>
    private static bool Shows(HttpContext context, QueueDepth depth) => context.Caller().Roles.HasFlag(Roles.Operate) || depth.Tenant == context.Tenant();

    internal static QueueView View(string model, IReadOnlyList<QueueDepth> depths, DrainMeter drain, TimeProvider time, bool paused)
    {
        var age = depths.Min(d => d.Oldest) is { } oldest ? Math.Max(0, (time.GetUtcNow() - oldest).TotalSeconds) : 0;
        return new QueueView(model, depths.Sum(d => d.Queued), depths.Sum(d => d.Running), Math.Round(age, 3), Math.Round(drain.PerSecond(model), 3), paused);
    }
}
