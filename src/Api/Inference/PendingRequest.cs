using System.Diagnostics;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;

namespace Millrace.Api.Inference;

/// <summary>A request of the sync lane that waits for its answer.</summary>
internal sealed class PendingRequest(string? modelVersion, int priority, TimeSpan timeout, ReadOnlyMemory<byte> body, TimeProvider time)
{
    private const int DefaultPriority = 5;
    private readonly TaskCompletionSource<InferOutcome> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _started = time.GetTimestamp();
    private volatile bool _hasLeft;

    public Guid Id { get; } = Guid.NewGuid();

    /// <summary>The trace of its call, where that is recorded.</summary>
    public ActivityContext? Trace { get; } = Spans.Current;

    /// <summary>From when it leaves in a pack to its answer.</summary>
    public Activity? Sending { get; private set; }
    public ReadOnlyMemory<byte> Body => body;
    public TimeProvider Time => time;

    /// <summary>1 first; the protocol's 0 is the middle.</summary>
    public int Order => priority == 0 ? DefaultPriority : priority;

    public TimeSpan Remaining => timeout - time.GetElapsedTime(_started);
    public Task<InferOutcome> Outcome => _outcome.Task;

    /// <summary>A worker may have it, so that giving it up is worth a message.</summary>
    public bool HasLeft => _hasLeft;

    /// <summary>False when nobody waits for it any more.</summary>
    public bool TryLeave()
    {
        _hasLeft = true;
        return !_outcome.Task.IsCompleted;
    }

    public InferItem ToItem()
    {
        _hasLeft = true;
        return new InferItem { Id = Id, ModelVersion = modelVersion, Priority = priority, Remaining = Remaining, Request = body, TraceParent = Sending is null ? null : Spans.Text(Sending.Context) };
    }

    /// <summary>Its wait for company is over.</summary>
    /// <param name="together">Requests in the pack.</param>
    public void NoteSent(string model, int together)
    {
        if (Trace is null)
            return;
        var now = time.GetUtcNow();
        Spans.Record($"coalesce {model}", ActivityKind.Internal, Trace, now - time.GetElapsedTime(_started), now);
        Sending = Spans.Begin($"send infer.{model}", ActivityKind.Producer, Trace, now);
        Sending?.SetTag("messaging.system", "rabbitmq").SetTag("messaging.destination.name", $"infer.{model}").SetTag("messaging.batch.message_count", together);
    }

    public bool TryEnd(InferOutcome outcome) => _outcome.TrySetResult(outcome);

    public void Fail(Exception error) => _outcome.TrySetException(error);
}
