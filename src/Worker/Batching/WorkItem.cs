using Millrace.Hosting.Inference;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Batching;

internal enum Lane
{
    Sync,
    Job,
}

/// <summary>One request on its way through a batcher. It ends once: done, failed, overdue or not wanted any more, whichever is first.</summary>
internal sealed class WorkItem
{
    // Who waits only hands the outcome on, so that runs on the thread that ends it: 64 items are not worth 64 wake-ups.
    private readonly TaskCompletionSource<RunOutcome> _outcome = new();

    public required Guid Id { get; init; }
    public required Lane Lane { get; init; }

    /// <summary>1 first; a smaller number runs earlier.</summary>
    public required int Priority { get; init; }
    public required InferenceRequest Request { get; init; }

    /// <summary>A <see cref="TimeProvider"/> timestamp after which nobody waits for the answer.</summary>
    public required long Deadline { get; init; }

    /// <summary>Shares no batch: an earlier attempt took its worker down.</summary>
    public bool Alone { get; init; }
    public int Attempt { get; init; }
    public long Fence { get; init; }

    public Task<RunOutcome> Outcome => _outcome.Task;

    public bool HasEnded => _outcome.Task.IsCompleted;

    /// <summary>The run that it is part of at present.</summary>
    public ActiveRun? Run { get; set; }

    /// <summary>False when it had ended before.</summary>
    public bool TryEnd(RunOutcome outcome) => _outcome.TrySetResult(outcome);

    /// <summary>Ends it now; a run that nobody else is part of is told to terminate.</summary>
    public void Stop(RunOutcome outcome)
    {
        if (TryEnd(outcome))
            Run?.TerminateIfUnwanted();
    }
}
