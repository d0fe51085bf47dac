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
}

/// <summary>A client's name for one submission, and a hash of what it submitted.</summary>
/// <param name="Scope">Method and path: the same key on another route is another key.</param>
/// <param name="Fingerprint">SHA-256 over method, path, media type and the body after its content coding is undone.</param>
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
