namespace Millrace.Storage.Jobs;

/// <summary>A validated submission. The store gives it its id and its times.</summary>
public sealed record NewJob
{
    public required string Tenant { get; init; }
    public required string Model { get; init; }
    public required string ModelVersion { get; init; }

    /// <summary>The client named the version itself, so a replay keeps to it.</summary>
    public bool VersionNamed { get; init; }

    /// <summary>1 first, 9 last.</summary>
    public required int Priority { get; init; }
    public required int MaxAttempts { get; init; }
    public required TimeSpan Timeout { get; init; }
    public required TimeSpan ExpiresIn { get; init; }
    public required TimeSpan ResultTtl { get; init; }
    public DateTimeOffset? NotBefore { get; init; }
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();
    public string? TraceParent { get; init; }
    public string? TraceState { get; init; }

    /// <summary>The encoded inference request.</summary>
    public required ReadOnlyMemory<byte> Input { get; init; }
    public IdempotencyKey? Key { get; init; }

    /// <summary>The job that this one repeats.</summary>
    public JobId? ReplayOf { get; init; }

    /// <summary>From when it may run.</summary>
    internal DateTimeOffset AvailableFrom(DateTimeOffset now) => NotBefore is { } start && start > now ? start : now;

    /// <summary>The row that is stored now, as a read would give it: times in whole microseconds.</summary>
    /// <param name="now">By the store's clock.</param>
    internal Job Accepted(DateTimeOffset now, bool dispatched)
    {
        var stored = Microseconds.Whole(now);
        return new Job
        {
            Id = JobId.New(now),
            Tenant = Tenant,
            State = JobState.Queued,
            Version = 1,
            Model = Model,
            ModelVersion = ModelVersion,
            VersionNamed = VersionNamed,
            Priority = Priority,
            Attempt = 0,
            MaxAttempts = MaxAttempts,
            CreatedAt = stored,
            NotBefore = NotBefore is { } start ? Microseconds.Whole(start) : null,
            DispatchedAt = dispatched ? stored : null,
            ExpiresAt = Microseconds.Whole(now + ExpiresIn),
            Timeout = Microseconds.Whole(Timeout),
            Metadata = Metadata,
            ReplayOf = ReplayOf,
            TraceParent = TraceParent,
        };
    }
}

/// <summary>What a store keeps of times and durations.</summary>
internal static class Microseconds
{
    public static DateTimeOffset Whole(DateTimeOffset time) => new(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);

    public static TimeSpan Whole(TimeSpan duration) => new(duration.Ticks - (duration.Ticks % TimeSpan.TicksPerMicrosecond));
}

/// <summary>A client's name for one submission, and a hash of what it submitted.</summary>
/// <param name="Scope">Method and path: the same key on another route is another key.</param>
/// <param name="Fingerprint">SHA-256 over method, path, media type, where the JSON ends (if that is said), and the body after its content coding is undone.</param>
public sealed record IdempotencyKey(string Scope, string Key, ReadOnlyMemory<byte> Fingerprint);

/// <summary>What became of a submission.</summary>
public abstract record AddOutcome
{
    private AddOutcome() { } // closed: every outcome stands below

    /// <param name="Dispatched">It is in the model's window: a ticket is owed to the broker at once.</param>
    public sealed record Added(Job Job, bool Dispatched) : AddOutcome;

    /// <summary>The key made this job before; nothing was stored.</summary>
    public sealed record Replayed(Job Job) : AddOutcome;

    /// <summary>The key was used for another body.</summary>
    public sealed record KeyReused : AddOutcome;

    /// <summary>The key's job is deleted.</summary>
    public sealed record Gone : AddOutcome;
}
