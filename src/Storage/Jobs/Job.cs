namespace Millrace.Storage.Jobs;

/// <summary>A job as stored, without its tensors. Times are UTC by the store's clock.</summary>
public sealed record Job
{
    public required JobId Id { get; init; }
    public required string Tenant { get; init; }
    public required JobState State { get; init; }

    /// <summary>Rises by one with each visible change.</summary>
    public required long Version { get; init; }
    public required string Model { get; init; }

    /// <summary>Pinned when the job was accepted.</summary>
    public required string ModelVersion { get; init; }

    /// <summary>The client named the version itself.</summary>
    public bool VersionNamed { get; init; }
    public required int Priority { get; init; }

    /// <summary>Runs begun and charged so far; 0 before the first.</summary>
    public required int Attempt { get; init; }
    public required int MaxAttempts { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? NotBefore { get; init; }
    public DateTimeOffset? DispatchedAt { get; init; }

    /// <summary>When the current or the last attempt began.</summary>
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }
    public DateTimeOffset? ResultExpiresAt { get; init; }

    /// <summary>The longest that one attempt may run.</summary>
    public required TimeSpan Timeout { get; init; }
    public string? Worker { get; init; }
    public JobError? Error { get; init; }
    public string? Fingerprint { get; init; }
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();
    public JobId? ReplayOf { get; init; }

    /// <summary>W3C trace context of the submission.</summary>
    public string? TraceParent { get; init; }
}

/// <summary>Why an attempt or a job ended without a result; the codes are a closed list.</summary>
public sealed record JobError(string Code, string Message, int Attempt, bool Retryable);

/// <summary>The closed list of <see cref="JobError.Code"/>.</summary>
public static class JobErrorCodes
{
    public const string ModelError = "model_error";
    public const string InvalidOutput = "invalid_output";
    public const string ExecutionTimeout = "execution_timeout";
    public const string WorkerLost = "worker_lost";
    public const string OutOfMemory = "out_of_memory";
    public const string ResultTooLarge = "result_too_large";
    public const string ExpiredInQueue = "expired_in_queue";
    public const string CanceledByClient = "canceled_by_client";
    public const string CanceledByOperator = "canceled_by_operator";
}

/// <summary>One attempt that was charged. The last one of a job is read from the job's own row.</summary>
public sealed record JobAttempt(int Attempt, DateTimeOffset StartedAt, DateTimeOffset? FinishedAt, string? Worker, string ModelVersion, JobError? Error);

/// <summary>What a single read shows beyond the row.</summary>
/// <param name="Attempts">Charged attempts, oldest first.</param>
/// <param name="QueuePosition">Jobs of the model that would start earlier; null unless queued, or when there are too many to count cheaply.</param>
public sealed record JobDetails(Job Job, IReadOnlyList<JobAttempt> Attempts, int? QueuePosition)
{
    /// <summary>A position further back than this is not counted: it would cost the store's time and tell nobody more.</summary>
    internal const int FarthestPosition = 10_000;

    /// <param name="followed">Attempts that another one followed; the last one stands on the job's row.</param>
    /// <param name="before">Jobs that would start earlier, counted up to <see cref="FarthestPosition"/>; null unless queued.</param>
    internal static JobDetails Of(Job job, IReadOnlyList<JobAttempt> followed, long? before)
    {
        var last = job.Attempt > 0 && job.StartedAt is { } started && followed.All(a => a.Attempt != job.Attempt)
            ? new JobAttempt(job.Attempt, started, job.FinishedAt, job.Worker, job.ModelVersion, job.Error?.Attempt == job.Attempt ? job.Error : null) : null;
        return new JobDetails(job, last is null ? followed : [.. followed, last], before < FarthestPosition ? (int?)before : null);
    }
}
