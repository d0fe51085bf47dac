using Millrace.Api.Queues;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

/// <summary>A job as clients see it: every member is always there, null when void. Durations are seconds, <c>metrics</c> milliseconds.</summary>
public sealed record JobView
{
    public required string Id { get; init; }
    public string Object { get; } = "job";

    /// <summary>queued, running, succeeded, failed, canceled or expired.</summary>
    public required string State { get; init; }
    public required string Model { get; init; }
    public required string ModelVersion { get; init; }
    public required int Priority { get; init; }
    public required int Attempt { get; init; }
    public required int MaxAttempts { get; init; }
    public required DateTime CreatedAt { get; init; }
    public required DateTime? NotBefore { get; init; }
    public required DateTime? StartedAt { get; init; }
    public required DateTime? FinishedAt { get; init; }
    public required DateTime ExpiresAt { get; init; }
    public required DateTime? ResultExpiresAt { get; init; }
    public required double Timeout { get; init; }
    public double? Progress { get; init; }
    public required JobErrorView? Error { get; init; }
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }
    public required string? ReplayOf { get; init; }
    public required string? TraceId { get; init; }
    public required JobMetricsView Metrics { get; init; }
    public string? WebhookStatus { get; init; }

    /// <summary>Jobs of the model that would start earlier: an estimate.</summary>
    public int? QueuePosition { get; init; }
    public DateTime? EstimatedStart { get; init; }
    public required string? Fingerprint { get; init; }

    /// <summary>Null in lists.</summary>
    public IReadOnlyList<AttemptView>? Attempts { get; init; }

    /// <summary>Null in lists.</summary>
    public IReadOnlyList<TimelineEntry>? Timeline { get; init; }
    public required JobUrls Urls { get; init; }

    internal static JobView From(Job job, TimeProvider time) => new()
    {
        Id = job.Id.ToString(),
        State = Name(job.State),
        Model = job.Model,
        ModelVersion = job.ModelVersion,
        Priority = job.Priority,
        Attempt = job.Attempt,
        MaxAttempts = job.MaxAttempts,
        CreatedAt = job.CreatedAt.UtcDateTime,
        NotBefore = JobTimes.View(job.NotBefore),
        StartedAt = JobTimes.View(job.StartedAt),
        FinishedAt = JobTimes.View(job.FinishedAt),
        ExpiresAt = job.ExpiresAt.UtcDateTime,
        ResultExpiresAt = JobTimes.View(job.ResultExpiresAt),
        Timeout = job.Timeout.TotalSeconds,
        Error = job.Error is { } error ? JobErrorView.From(error) : null,
        Metadata = job.Metadata,
        ReplayOf = job.ReplayOf?.ToString(),
        TraceId = job.TraceParent is { } trace ? TraceContext.TraceId(trace) : null,
        Metrics = JobMetricsView.From(job, time.GetUtcNow()),
        Fingerprint = job.Fingerprint,
        Urls = JobUrls.Of(job.Id),
    };

    internal static JobView From(JobDetails details, DrainMeter drain, TimeProvider time) => From(details.Job, time) with
    {
        QueuePosition = details.QueuePosition,
        EstimatedStart = drain.EstimateStart(details.Job, details.QueuePosition),
        Attempts = details.Attempts.Select(AttemptView.From).ToArray(),
        Timeline = TimelineEntry.Of(details).ToArray(),
    };

    internal static string Name(JobState state) => state switch
    {
        JobState.Queued => "queued",
        JobState.Running => "running",
        JobState.Succeeded => "succeeded",
        JobState.Failed => "failed",
        JobState.Canceled => "canceled",
        _ => "expired",
    };
}

public sealed record JobErrorView(string Code, string Message, int Attempt, bool Retryable)
{
    internal static JobErrorView From(JobError error) => new(error.Code, error.Message, error.Attempt, error.Retryable);
}

/// <summary>Milliseconds up to the end, or up to now.</summary>
public sealed record JobMetricsView(double QueueMs, double? RunMs, double TotalMs)
{
    internal static JobMetricsView From(Job job, DateTimeOffset now)
    {
        var end = job.FinishedAt ?? now;
        return new JobMetricsView(Between(job.CreatedAt, job.StartedAt ?? end), job.StartedAt is { } start && job.State != JobState.Queued ? Between(start, end) : null, Between(job.CreatedAt, end));
    }

    private static double Between(DateTimeOffset from, DateTimeOffset to) => Math.Max(0, Math.Round((to - from).TotalMilliseconds, 3));
}

public sealed record AttemptView(int Attempt, DateTime StartedAt, DateTime? FinishedAt, string? Worker, string ModelVersion, JobErrorView? Error)
{
    internal static AttemptView From(JobAttempt attempt) => new(
        attempt.Attempt, attempt.StartedAt.UtcDateTime, JobTimes.View(attempt.FinishedAt), attempt.Worker, attempt.ModelVersion,
        attempt.Error is { } error ? JobErrorView.From(error) : null);
}

/// <param name="Event">accepted, dispatched, claimed or finished.</param>
public sealed record TimelineEntry(string Event, DateTime At, int? Attempt)
{
    internal static IEnumerable<TimelineEntry> Of(JobDetails details)
    {
        var job = details.Job;
        var entries = new List<TimelineEntry> { new("accepted", job.CreatedAt.UtcDateTime, null) };
        if (job.DispatchedAt is { } dispatched)
            entries.Add(new TimelineEntry("dispatched", dispatched.UtcDateTime, null));
        entries.AddRange(details.Attempts.Select(a => new TimelineEntry("claimed", a.StartedAt.UtcDateTime, a.Attempt)));
        if (job.FinishedAt is { } finished)
            entries.Add(new TimelineEntry("finished", finished.UtcDateTime, job.Attempt > 0 ? job.Attempt : null));
        return entries.OrderBy(e => e.At);
    }
}

public sealed record JobUrls(string Self, string Result, string Events, string Cancel)
{
    internal static JobUrls Of(JobId id) => new($"/v1/jobs/{id}", $"/v1/jobs/{id}/result", $"/v1/jobs/{id}/events", $"/v1/jobs/{id}/cancel");
}

/// <param name="NextCursor">Null at the end, and only there.</param>
public sealed record JobList(IReadOnlyList<JobView> Data, string? NextCursor);
