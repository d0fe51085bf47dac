using System.Diagnostics;
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

    private readonly InferenceRequest _request = null!;
    private volatile ActiveRun? _run;

    public required Guid Id { get; init; }
    public required Lane Lane { get; init; }

    /// <summary>1 first; a smaller number runs earlier.</summary>
    public required int Priority { get; init; }
    public required InferenceRequest Request
    {
        get => _request;
        init => (_request, Rows, Bytes) = (value, Batches.Rows(value), value.Inputs.Sum(i => (long)i.Data.Length));
    }

    /// <summary>What it brings to a batch; null when it can share none.</summary>
    public long? Rows { get; private init; }

    /// <summary>Bytes that it holds while it waits.</summary>
    public long Bytes { get; private init; }

    /// <summary>A <see cref="TimeProvider"/> timestamp after which nobody waits for the answer. Of a job: set when its run begins.</summary>
    public long Deadline { get; set; } = long.MaxValue;

    /// <summary>How long the run of a job may take: its clock does not count the wait for a free instance.</summary>
    public TimeSpan? LongestRun { get; init; }

    /// <summary>Shares no batch: an earlier attempt took its worker down.</summary>
    public bool Alone { get; init; }
    public int Attempt { get; init; }
    public long Fence { get; init; }

    public Task<RunOutcome> Outcome => _outcome.Task;

    public bool HasEnded => _outcome.Task.IsCompleted;

    /// <summary>Where its spans belong, if its trace is recorded.</summary>
    public ActivityContext? Trace { get; init; }

    /// <summary>When it came to the batcher: for its span, and as a <see cref="TimeProvider"/> timestamp.</summary>
    public DateTimeOffset ArrivedAt { get; set; }
    public long Arrived { get; set; }

    /// <summary>The run that it is part of at present.</summary>
    public ActiveRun? Run
    {
        get => _run;
        set => _run = value;
    }

    /// <summary>Starts a job's clock, once: a batch that failed runs its jobs again one by one within the same time.</summary>
    public void Begin(TimeProvider time)
    {
        if (LongestRun is { } longest && Deadline == long.MaxValue)
            Deadline = time.GetTimestamp() + (long)(longest.TotalSeconds * time.TimestampFrequency);
    }

    /// <summary>False when it had ended before.</summary>
    public bool TryEnd(RunOutcome outcome) => _outcome.TrySetResult(outcome);

    /// <summary>Ends it now; a run that nobody else is part of is told to terminate.</summary>
    public void Stop(RunOutcome outcome)
    {
        if (TryEnd(outcome))
            Run?.TerminateIfUnwanted();
    }
}
