using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Backlog;
using Millrace.Api.Dispatch;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Inference;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Api.Telemetry;
using Millrace.Hosting.Faults;
using Millrace.Hosting.Inference;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

/// <summary>Accepts jobs: validate, store durably, hand a ticket to the broker, answer 202; or wait a while for the end if the client prefers that.</summary>
internal sealed class JobSubmission(
    ModelCatalog catalog, SubmitValidator validator, IJobStore store, TicketOutbox tickets, Dispatcher dispatcher, JobWaiters waiters, RateLimits rates, BacklogGate backlog,
    LimitsOptions limits, JobMetrics metrics, FaultPoints faults, TimeProvider time)
{
    private const int DefaultPriority = 5;

    /// <summary><c>POST /v1/jobs</c>.</summary>
    public async Task SubmitAsync(HttpContext context, ReadOnlyMemory<byte> body)
    {
        var job = Read(context, body);
        await rates.CheckModelAsync(context, job.Model);
        await StoreAsync(context, job);
    }

    /// <summary><c>POST …/infer</c> with <c>Prefer: respond-async</c>.</summary>
    public Task SubmitInferenceAsync(
        HttpContext context, ServedVersion served, InferenceRequest request, InferenceSettings settings, ReadOnlyMemory<byte> body) =>
        StoreAsync(context, New(context, served, request, new SubmitRequest
        {
            Priority = settings.Priority,
            Timeout = settings.Timeout?.TotalSeconds ?? InferenceSettings.LongestTimeout.TotalSeconds,
        }, body.Span));

    private NewJob Read(HttpContext context, ReadOnlyMemory<byte> body)
    {
        var sent = InferenceBody.Of(context.Request, body);
        if (sent.IsRaw)
            throw new RefusedException(ErrorCode.InvalidRequest, $"{InferenceBody.Header} is 0, which leaves no job object; it must be the bytes of the job object, and tensors follow that.");
        var reader = new SubmitReader(sent.Json.Span, limits.MaxJsonDepth);
        var request = reader.Read();
        var errors = validator.Check(request, reader.Errors);
        if (errors.Count > 0)
            throw new RefusedException(new Refusal(ErrorCode.InvalidRequest, $"{errors[0].Pointer} {errors[0].Detail}.") { Errors = errors });
        var served = catalog.Choose(context, request.Model!, request.ModelVersion).Served;
        context.Tag(served);
        var (inference, settings) = InferenceReader.Read(sent with { Json = sent.Json[reader.Inference] }, served, limits, strict: true);
        if (request.Priority == 0)
            request = request with { Priority = settings.Priority };
        return New(context, served, inference, request, body.Span);
    }

    private static NewJob New(HttpContext context, ServedVersion served, InferenceRequest inference, SubmitRequest request, ReadOnlySpan<byte> body)
    {
        var (traceParent, traceState) = TraceContext.Of(context.Request);
        return new NewJob
        {
            Tenant = context.Tenant(),
            Model = served.Model,
            ModelVersion = served.Version,
            VersionNamed = request.ModelVersion is not null,
            Priority = request.Priority == 0 ? DefaultPriority : request.Priority,
            MaxAttempts = request.MaxAttempts,
            Timeout = TimeSpan.FromSeconds(request.Timeout),
            ExpiresIn = TimeSpan.FromSeconds(request.ExpiresIn),
            ResultTtl = TimeSpan.FromSeconds(request.ResultTtl),
            NotBefore = request.NotBefore,
            Metadata = request.Metadata,
            TraceParent = traceParent,
            TraceState = traceState,
            Input = inference.Encode(),
            Key = Idempotency.Of(context.Request, body),
        };
    }

    private async Task StoreAsync(HttpContext context, NewJob job)
    {
        if (await AdmitAsync(context, job.Model, job.ExpiresIn, job.Key) is { } known)
        {
            await AnswerAsync(context, known);
            return;
        }
        faults.Hit(Points.BeforeInsert, job.Model);
        var span = Spans.Begin($"store {job.Model}", ActivityKind.Client, Spans.Current);
        AddOutcome outcome;
        try { outcome = await store.AddAsync(job, context.RequestAborted); }
        finally { Spans.End(span); }
        await AnswerAsync(context, outcome);
    }

    /// <summary>Null when one more job may be accepted; when not, what its key made before, since a repeat adds nothing.</summary>
    /// <exception cref="RefusedException">429 or 503: the job would be one too many, or come too late.</exception>
    public async Task<AddOutcome?> AdmitAsync(HttpContext context, string model, TimeSpan expiresIn, IdempotencyKey? key)
    {
        if (await backlog.RefuseAsync(context.Caller(), model, expiresIn, context.RequestAborted) is not { } refusal)
            return null;
        var known = key is null ? null : await store.RecallAsync(context.Tenant(), key, context.RequestAborted);
        return known ?? throw new RefusedException(refusal);
    }

    /// <summary>What became of a submission, or of a replay, as an answer; its ticket leaves first.</summary>
    public async Task AnswerAsync(HttpContext context, AddOutcome outcome)
    {
        switch (outcome)
        {
            case AddOutcome.Added(var added, var dispatched):
                faults.Hit(Points.AfterCommit, added.Model);
                metrics.Accepted(added.Model, added.ReplayOf is not null);
                Dispatch(added, dispatched);
                backlog.NoteAccepted(added.Tenant, added.Model);
                await AnswerAsync(context, added);
                return;
            case AddOutcome.Replayed(var first):
                context.Response.Headers["Idempotency-Replayed"] = "true";
                await AnswerAsync(context, first);
                return;
            case AddOutcome.KeyReused:
                throw new RefusedException(ErrorCode.IdempotencyKeyReused, "This Idempotency-Key made a job from another body; use a new key for a new request.");
            case AddOutcome.Gone:
                throw new RefusedException(ErrorCode.JobNotFound, "The job that this Idempotency-Key made has been deleted.");
            case var unknown:
                throw new UnreachableException($"No answer for {unknown}");
        }
    }

    /// <summary>The job is committed, so nothing here may fail the request: what is not published now, the reconciler finds.</summary>
    private void Dispatch(Job job, bool dispatched)
    {
        if (dispatched)
            tickets.Post(new RunJob { JobId = job.Id.Value, Model = job.Model }, Spans.Current);
        else
            dispatcher.NoteBacklog();
    }

    private async Task AnswerAsync(HttpContext context, Job job)
    {
        context.Tag(job);
        if (Preferences.Of(context.Request).Wait is { } seconds)
        {
            context.Response.Headers["Preference-Applied"] = $"wait={seconds}";
            context.Features.Get<InFlight.Place>()?.Wait();
            job = await waiters.WaitAsync(job.Tenant, job.Id, TimeSpan.FromSeconds(seconds), context.RequestAborted) ?? job;
        }
        context.Response.Headers.Vary = "Prefer";
        context.Response.Headers.Location = $"/v1/jobs/{job.Id}";
        context.Response.StatusCode = job.State.IsFinal() ? StatusCodes.Status200OK : StatusCodes.Status202Accepted;
        if (!job.State.IsFinal())
            context.Response.Headers.RetryAfter = "1";
        var view = JobView.From(job, time);
        if (job.State == JobState.Queued)
        {
            var (position, start) = backlog.Outlook(job.Tenant, job.Model, job.NotBefore);
            view = view with { QueuePosition = position, EstimatedStart = start };
        }
        await JsonBody.WriteAsync(context, view, ApiJson.Default.JobView);
    }
}
