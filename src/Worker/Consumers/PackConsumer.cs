using System.Diagnostics;
using Millrace.Hosting.Inference;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;
using Millrace.Worker.Batching;
using Millrace.Worker.Execution;
using Millrace.Worker.Models;

namespace Millrace.Worker.Consumers;

/// <summary>The worker's end of the sync lane: a pack in, one reply out, each request with its own deadline and outcome.</summary>
internal sealed class PackConsumer(ModelHost models, RunsInWork runs, Draining draining, TimeProvider time)
{
    /// <summary>Where the protocol's 0 (default) lies among the priorities 1 (highest) to 9.</summary>
    private const int DefaultPriority = 5;

    public async Task<InferReply> HandleAsync(InferPack pack)
    {
        using var work = draining.Begin();
        return new() { Outcomes = await Task.WhenAll(pack.Items.Select(item => item.TraceParent is null ? TryRunAsync(pack.Model, item, null) : RunTracedAsync(pack, item))) };
    }

    private async Task<InferOutcome> RunTracedAsync(InferPack pack, InferItem item)
    {
        var parent = Spans.Parse(item.TraceParent);
        if (pack.SentAt is { } sent)
            Spans.Record($"queue infer.{pack.Model}", ActivityKind.Internal, parent, sent, time.GetUtcNow());
        var span = Spans.Begin($"process infer.{pack.Model}", ActivityKind.Consumer, parent);
        var outcome = await TryRunAsync(pack.Model, item, span?.Context);
        Spans.End(span, outcome.Failure == InferFailure.None ? null : outcome.Detail ?? outcome.Failure.ToString());
        return outcome;
    }

    private async Task<InferOutcome> TryRunAsync(string model, InferItem item, ActivityContext? trace)
    {
        try { return await RunAsync(model, item, trace); }
        catch (InvalidDataException) { return Failed(item, InferFailure.ModelError, "The request is of a format that the worker does not know."); }
    }

    private async Task<InferOutcome> RunAsync(string model, InferItem item, ActivityContext? trace)
    {
        if (item.Remaining <= TimeSpan.Zero)
            return Failed(item, InferFailure.DeadlineExceeded, "The deadline passed before the request reached a worker.");
        var work = new WorkItem
        {
            Id = item.Id,
            Lane = Lane.Sync,
            Priority = item.Priority == 0 ? DefaultPriority : item.Priority,
            Request = InferenceRequest.Decode(item.Request),
            Trace = trace,
            Deadline = time.GetTimestamp() + (long)(item.Remaining.TotalSeconds * time.TimestampFrequency),
        };
        using var registered = runs.Add(work);
        if (!models.TryAdd(model, item.ModelVersion, work))
            return Failed(item, InferFailure.ModelNotReady, "The worker does not have this model ready.");
        return await work.Outcome switch
        {
            RunOutcome.Done(var response) => new InferOutcome { Id = item.Id, Response = response },
            RunOutcome.Failed(var failure) => Failed(item, failure.Kind, failure.Message),
            RunOutcome.Abandoned => Failed(item, InferFailure.DeadlineExceeded, "The request was given up."),
            _ => Failed(item, InferFailure.ShuttingDown, "The worker is stopping."),
        };
    }

    private static InferOutcome Failed(InferItem item, InferFailure failure, string detail) => new() { Id = item.Id, Failure = failure, Detail = detail };
}
