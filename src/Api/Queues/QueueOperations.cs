using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Dispatch;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Jobs;
using Millrace.Api.Models;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;
using Millrace.Storage.Audit;
using Millrace.Storage.Jobs;
using Millrace.Storage.Queues;

namespace Millrace.Api.Queues;

/// <param name="Matched">Jobs that wait.</param>
/// <param name="Canceled">How many of them were canceled; 0 in a dry run.</param>
public sealed record PurgeView(string Model, bool DryRun, long Matched, long Canceled);

/// <param name="Published">Tickets that were missing in the broker.</param>
public sealed record RedispatchView(string Model, int Published);

/// <summary>The body of a purge.</summary>
public sealed record PurgeRequest
{
    /// <summary>Count only, and cancel nothing.</summary>
    public required bool DryRun { get; init; }
}

/// <summary>What an operator does with a model's queue.</summary>
internal static class QueueOperations
{
    private const int SmallBatch = 500;

    public static async Task PauseAsync(HttpContext context, IJobStore jobs, IQueueStore queues, ModelCatalog catalog, DrainMeter drain, TimeProvider time, string model)
    {
        Queries.AllowOnly(context.Request);
        var depths = await MustBeKnownAsync(context, jobs, catalog, model);
        await queues.SetPausedAsync(model, true, context.Audit(model), context.RequestAborted);
        await JsonBody.WriteAsync(context, QueueEndpoints.View(model, depths, drain, time, paused: true), ApiJson.Default.QueueView);
    }

    /// <summary>Tickets that workers dropped in the pause are published again at once.</summary>
    public static async Task ResumeAsync(
        HttpContext context, IJobStore jobs, IQueueStore queues, MissingTickets missing, ModelCatalog catalog, DrainMeter drain, Dispatcher dispatcher,
        TimeProvider time, string model)
    {
        Queries.AllowOnly(context.Request);
        var depths = await MustBeKnownAsync(context, jobs, catalog, model);
        await queues.SetPausedAsync(model, false, context.Audit(model), context.RequestAborted);
        dispatcher.Wake();
        try { await missing.PublishAsync(model, TimeSpan.Zero, CancellationToken.None); }
        catch (BrokerUnavailableException) { } // the reconciler does it when the broker is back
        await JsonBody.WriteAsync(context, QueueEndpoints.View(model, depths, drain, time, paused: false), ApiJson.Default.QueueView);
    }

    /// <summary>After a broker that lost its data: what is dispatched and has no ticket gets one now, not only when it has waited long enough to be missed.</summary>
    public static async Task RedispatchAsync(HttpContext context, IJobStore jobs, MissingTickets missing, ModelCatalog catalog, IAuditStore audit, string model)
    {
        Queries.AllowOnly(context.Request);
        await MustBeKnownAsync(context, jobs, catalog, model);
        await audit.AddAsync(context.Audit(model), context.RequestAborted);
        var published = await missing.PublishAsync(model, TimeSpan.Zero, context.RequestAborted);
        await JsonBody.WriteAsync(context, new RedispatchView(model, published), ApiJson.Default.RedispatchView);
    }

    /// <summary>Cancels what was accepted before now and has not started; what runs goes on.</summary>
    public static async Task PurgeAsync(
        HttpContext context, IJobStore jobs, IQueueStore queues, IEventBus events, JobMetrics metrics, ModelCatalog catalog, HttpOptions options, TimeProvider time, string model)
    {
        Queries.AllowOnly(context.Request);
        await MustBeKnownAsync(context, jobs, catalog, model);
        using var body = await RequestBody.ReadAsync(context, options.MaxBodyBytes);
        var dryRun = ReadDryRun(body.Bytes);
        var now = time.GetUtcNow();
        var matched = await queues.CountQueuedAsync(model, context.RequestAborted);
        long canceled = 0;
        AuditEntry? audit = context.Audit(model) with { Detail = $"{matched} jobs" }; // with the first batch: it tells what was begun
        while (!dryRun && await queues.CancelQueuedAsync(model, now, SmallBatch, audit, CancellationToken.None) is { Count: > 0 } some)
        {
            audit = null;
            canceled += some.Count;
            metrics.Ended(model, JobState.Canceled, some.Count);
            await events.PublishAsync(new JobsFinished { Model = model, JobIds = some.Select(id => id.Value).ToArray() }, CancellationToken.None);
        }
        await JsonBody.WriteAsync(context, new PurgeView(model, dryRun, dryRun ? matched : Math.Max(matched, canceled), canceled), ApiJson.Default.PurgeView);
    }

    private static async Task<IReadOnlyList<QueueDepth>> MustBeKnownAsync(HttpContext context, IJobStore jobs, ModelCatalog catalog, string model)
    {
        var depths = await jobs.ReadQueuesAsync(model, context.RequestAborted);
        return depths.Count > 0 || catalog.Find(model) is not null ? depths : throw QueueEndpoints.Unknown();
    }

    private static bool ReadDryRun(ReadOnlyMemory<byte> body)
    {
        const string right = "The body must be {\"dry_run\": true}, which counts, or {\"dry_run\": false}, which cancels.";
        try
        {
            using var json = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 4 });
            if (json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.EnumerateObject().ToArray() is [{ Name: "dry_run", Value.ValueKind: JsonValueKind.True or JsonValueKind.False } only])
                return only.Value.GetBoolean();
        }
        catch (InvalidOperationException) { } // a name that is no text is not dry_run
        catch (JsonException error) { throw new RefusedException(ErrorCode.InvalidJson, $"The body is not valid JSON: {error.Message} {right}"); }
        throw new RefusedException(new Refusal(ErrorCode.InvalidRequest, right) { Errors = [new FieldError("/dry_run", "must be given, and be true or false")] });
    }
}
