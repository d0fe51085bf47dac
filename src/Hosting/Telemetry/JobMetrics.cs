using Millrace.Storage.Jobs;
using Prometheus;

namespace Millrace.Hosting.Telemetry;

/// <summary>Jobs on their way. API and worker each count what they did: sum over all processes.</summary>
public sealed class JobMetrics(Instruments instruments)
{
    private readonly Counter _accepted = instruments.Counter("millrace_jobs_accepted_total", "Jobs that were stored and answered with 202, replays among them.", "model");
    private readonly Counter _ended = instruments.Counter("millrace_jobs_ended_total", "Jobs that reached a final state: succeeded, failed, canceled or expired.", "model", "state");
    private readonly Counter _attempts = instruments.Counter("millrace_job_attempts_total",
        "Ends of attempts: succeeded, failed, retried, given_back by a worker that leaves, or dropped because the job was somebody else's by then.", "model", "outcome");
    private readonly Histogram _wait = instruments.Histogram("millrace_job_queue_wait_seconds", "From when a job could start to the claim of its attempt.", Buckets.Waits, "model");
    private readonly Counter _leasesLost = instruments.Counter("millrace_leases_lost_total", "Jobs that were taken back from a worker whose lease ended.", "model");
    private readonly Counter _replays = instruments.Counter("millrace_replays_total", "Jobs that were made again from the input of another.", "model");

    public void Accepted(string model, bool isReplay)
    {
        _accepted.WithLabels(model).Inc();
        if (isReplay)
            _replays.WithLabels(model).Inc();
    }

    public void Ended(string model, JobState state, int count = 1) => _ended.WithLabels(model, Name(state)).Inc(count);

    public void LeaseLost(string model) => _leasesLost.WithLabels(model).Inc();

    public void Claimed(string model, TimeSpan waited) => _wait.WithLabels(model).Observe(waited.TotalSeconds);

    public void AttemptEnded(string model, AttemptEnd end, FinishOutcome outcome)
    {
        _attempts.WithLabels(model, (end, outcome) switch
        {
            (_, FinishOutcome.Dropped) => "dropped",
            (AttemptEnd.Succeeded, _) => "succeeded",
            (AttemptEnd.GivenBack, _) => "given_back",
            (_, FinishOutcome.Requeued) => "retried",
            _ => "failed",
        }).Inc();
        if (outcome == FinishOutcome.Ended)
            Ended(model, end is AttemptEnd.Succeeded ? JobState.Succeeded : JobState.Failed);
    }

    private static string Name(JobState state) => state switch
    {
        JobState.Succeeded => "succeeded",
        JobState.Failed => "failed",
        JobState.Canceled => "canceled",
        JobState.Expired => "expired",
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, "It is not final."),
    };
}
