using System.Diagnostics;
using Millrace.Hosting.Telemetry;
using Millrace.Storage.Jobs;

namespace Millrace.Worker.Consumers;

/// <summary>An attempt in the trace of its job's submission: the wait in the queue, the claim, the run (by the batcher), the write of its end. A retry is a further attempt of the same parent.</summary>
internal sealed class AttemptSpans
{
    private readonly string _model;
    private readonly Activity _attempt;
    private readonly TimeProvider _time;
    private DateTimeOffset _ran;

    private AttemptSpans(string model, Activity attempt, TimeProvider time) => (_model, _attempt, _time) = (model, attempt, time);

    public ActivityContext Context => _attempt.Context;

    /// <summary>Null where the job's trace is not recorded, which is nearly always.</summary>
    /// <param name="claiming">When the claim began.</param>
    public static AttemptSpans? Begin(string model, ClaimedJob job, DateTimeOffset claiming, TimeProvider time)
    {
        if (Spans.Parse(job.TraceParent, job.TraceState) is not { } parent)
            return null;
        var now = time.GetUtcNow();
        Spans.Record($"queue jobs.{model}", ActivityKind.Internal, parent, now - job.Waited, now);
        if (Spans.Begin($"attempt {model}", ActivityKind.Consumer, parent, claiming) is not { } attempt)
            return null;
        attempt.SetTag("messaging.system", "rabbitmq").SetTag("messaging.destination.name", $"jobs.{model}").SetTag("millrace.job.id", job.Id.ToString()).SetTag("millrace.job.attempt", job.Attempt);
        Spans.Record($"claim {model}", ActivityKind.Client, attempt.Context, claiming, now);
        return new AttemptSpans(model, attempt, time);
    }

    public void NoteRan() => _ran = _time.GetUtcNow();

    public void End(AttemptEnd? end)
    {
        if (end is not null)
            Spans.Record($"finish {_model}", ActivityKind.Client, Context, _ran, _time.GetUtcNow());
        Spans.End(_attempt, end is AttemptEnd.Failed failed ? failed.Error.Message : null);
    }
}
