using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;
using Millrace.Api.Backlog;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Inference;
using Millrace.Api.Jobs;
using Millrace.Hosting.Lifecycle;
using Millrace.Storage.Access;
using Millrace.Storage.Jobs;
using Millrace.Storage.Replays;

namespace Millrace.Api.Replays;

/// <summary>What a bulk replay would make.</summary>
/// <param name="Sample">Up to 20 ids of what is replayable.</param>
/// <param name="Plan">Give it to the real run: it is refused when the set has changed since.</param>
public sealed record ReplayPlanView(int Matched, int Replayable, SkippedView Skipped, IReadOnlyList<string> Sample, string Plan);

public sealed record SkippedView(int InputExpired, int NotFinished);

/// <summary>A bulk replay and how far it is.</summary>
/// <param name="State">running, finished or canceled.</param>
/// <param name="Skipped">Sources whose input is gone, or that had not ended.</param>
/// <param name="Failed">Sources whose model has no version to run them on.</param>
public sealed record ReplayView(
    string Id, string Object, string State, int Matched, int Created, int Skipped, int Failed, double? RatePerSecond, DateTime CreatedAt, DateTime? FinishedAt, ReplayUrls Urls);

public sealed record ReplayUrls(string Self, string Cancel);

internal static class ReplayEndpoints
{
    private const string Prefix = "replay_";
    private const string ProblemJson = "application/problem+json";

    public static void MapReplays(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v1/replays").WithTags("Replays");
        group.MapPost("/", StartAsync).Needs(Roles.Submit, "replay.start").WithName("StartReplay").WithSummary("Replay what matches a filter, or count it first with dry_run").Accepts<BulkReplayRequest>("application/json", "*/*")
            .Produces<ReplayPlanView>().Produces<ReplayView>(202).Produces<Problem>(400, ProblemJson).Produces<Problem>(409, ProblemJson);
        group.MapGet("/{id}", ReadAsync).Needs(Roles.Read).WithName("ReadReplay").WithSummary("Read how far a bulk replay is").Produces<ReplayView>().Produces<Problem>(404, ProblemJson);
        group.MapPost("/{id}/cancel", CancelAsync).Needs(Roles.Submit, "replay.cancel").WithName("CancelReplay").WithSummary("Make no further jobs; those that were made stay").Produces<ReplayView>().Produces<Problem>(404, ProblemJson);
    }

    private static async Task StartAsync(HttpContext context, IReplayStore store, ReplayRunner runner, BacklogGate backlog, Draining draining, HttpOptions options)
    {
        using var work = Admission.Begin(draining);
        Queries.AllowOnly(context.Request);
        using var body = await RequestBody.ReadAsync(context, options.MaxBodyBytes);
        var (request, filter) = ReplayReader.ReadBulk(body.Bytes, context.Tenant());
        if (request.DryRun)
        {
            await JsonBody.WriteAsync(context, View(await store.PlanAsync(filter, request.MaxJobs, context.RequestAborted)), ApiJson.Default.ReplayPlanView);
            return;
        }
        if (await backlog.RefuseManyAsync(context.Caller(), request.MaxJobs, context.RequestAborted) is not null // as many as it may be; how many it is costs a query
            && await backlog.RefuseManyAsync(context.Caller(), (await store.PlanAsync(filter, request.MaxJobs, context.RequestAborted)).Replayable, context.RequestAborted) is { } refusal)
            throw new RefusedException(refusal);
        var outcome = await store.AddBulkAsync(new NewBulkReplay
        {
            Filter = filter,
            MaxJobs = request.MaxJobs,
            RatePerSecond = request.RatePerSecond,
            Plan = request.Plan,
            ModelVersion = request.Overrides?.ModelVersion,
            Priority = request.Overrides?.Priority,
            Timeout = request.Overrides?.Timeout is { } timeout ? TimeSpan.FromSeconds(timeout) : null,
            ExpiresIn = request.Overrides?.ExpiresIn is { } expiry ? TimeSpan.FromSeconds(expiry) : null,
            Key = Idempotency.Of(context.Request, body.Bytes.Span),
            Audit = context.Audit(""),
        }, context.RequestAborted);
        runner.Wake();
        await AnswerAsync(context, outcome);
    }

    private static Task AnswerAsync(HttpContext context, BulkOutcome outcome)
    {
        if (outcome is BulkOutcome.Repeated)
            context.Response.Headers["Idempotency-Replayed"] = "true";
        var replay = outcome switch
        {
            BulkOutcome.Added(var added) => added,
            BulkOutcome.Repeated(var first) => first,
            BulkOutcome.KeyReused => throw new RefusedException(ErrorCode.IdempotencyKeyReused, "This Idempotency-Key was used for another body; use a new key for a new replay."),
            BulkOutcome.PlanChanged => throw new RefusedException(ErrorCode.PlanChanged, "What matches is not what the dry run saw any more; make another dry run."),
            var unknown => throw new UnreachableException($"No answer for {unknown}"),
        };
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        context.Response.Headers.Location = Self(replay.Id);
        return JsonBody.WriteAsync(context, View(replay), ApiJson.Default.ReplayView);
    }

    private static async Task ReadAsync(HttpContext context, IReplayStore store, string id)
    {
        Queries.AllowOnly(context.Request);
        var replay = await store.ReadBulkAsync(context.Tenant(), Parse(id), context.RequestAborted) ?? throw Unknown();
        await JsonBody.WriteAsync(context, View(replay), ApiJson.Default.ReplayView);
    }

    private static async Task CancelAsync(HttpContext context, IReplayStore store, string id)
    {
        Queries.AllowOnly(context.Request);
        var replay = await store.CancelBulkAsync(context.Tenant(), Parse(id), context.Audit(id), context.RequestAborted) ?? throw Unknown();
        await JsonBody.WriteAsync(context, View(replay), ApiJson.Default.ReplayView);
    }

    private static ReplayPlanView View(ReplayPlan plan) => new(
        plan.Matched, plan.Replayable, new SkippedView(plan.InputExpired, plan.NotFinished), plan.Sample.Select(id => id.ToString()).ToArray(), plan.Plan);

    private static ReplayView View(BulkReplay r) => new(r.Id.ToString(Prefix), "replay", r.State switch
    {
        BulkReplayState.Running => "running",
        BulkReplayState.Finished => "finished",
        _ => "canceled",
    }, r.Matched, r.Created, r.Skipped, r.Failed, r.RatePerSecond, r.CreatedAt.UtcDateTime, r.FinishedAt?.UtcDateTime, new ReplayUrls(Self(r.Id), $"{Self(r.Id)}/cancel"));

    private static string Self(JobId id) => $"/v1/replays/{id.ToString(Prefix)}";

    private static JobId Parse(string text) =>
        JobId.TryParse(text, Prefix, out var id) ? id : throw Unknown();

    private static RefusedException Unknown() => new(ErrorCode.NotFound, "There is no replay of this id.");
}
