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
        return new InferItem { Id = Id, ModelVersion = modelVersion, Priority = priority, Remaining = Remaining, Request = body };
    }

    public bool TryEnd(InferOutcome outcome) => _outcome.TrySetResult(outcome);

    public void Fail(Exception error) => _outcome.TrySetException(error);
}
