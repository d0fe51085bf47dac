namespace Millrace.Messages;

/// <summary>Requests of the sync lane that travel together: all for one model, each with its own deadline and outcome.</summary>
public sealed record InferPack
{
    public required string Model { get; init; }
    public required IReadOnlyList<InferItem> Items { get; init; }

    /// <summary>When it was sent, by the sender's clock; for traces alone.</summary>
    public DateTimeOffset? SentAt { get; init; }
}

/// <summary>One request of a pack.</summary>
public sealed record InferItem
{
    public required Guid Id { get; init; }

    /// <summary>The version that the client named, or null for the worker's newest ready one.</summary>
    public string? ModelVersion { get; init; }

    /// <summary>0 default, 1 highest, larger is lower (the protocol's schedule policy extension).</summary>
    public int Priority { get; init; }

    /// <summary>What is left of the client's deadline. A duration, since clocks differ.</summary>
    public required TimeSpan Remaining { get; init; }

    /// <summary>W3C trace context of a request whose trace is recorded; null for all others.</summary>
    public string? TraceParent { get; init; }

    /// <summary>The encoded request; the layout is described at Hosting's <c>InferenceRequest</c>.</summary>
    public required ReadOnlyMemory<byte> Request { get; init; }
}

/// <summary>The one answer to a pack: an outcome for each of its items, in any order.</summary>
public sealed record InferReply
{
    public required IReadOnlyList<InferOutcome> Outcomes { get; init; }
}

/// <summary>How one request ended: a response, or a failure and its text.</summary>
public sealed record InferOutcome
{
    public required Guid Id { get; init; }

    /// <summary>The encoded response; empty when <see cref="Failure"/> says why there is none.</summary>
    public ReadOnlyMemory<byte> Response { get; init; }

    public InferFailure Failure { get; init; }

    /// <summary>What went wrong, fit for the client to read.</summary>
    public string? Detail { get; init; }
}

/// <summary>Why a request has no response.</summary>
public enum InferFailure
{
    None,

    /// <summary>The graph refused the input.</summary>
    InvalidInput,

    /// <summary>The worker does not have that model or version ready.</summary>
    ModelNotReady,

    /// <summary>The deadline had passed before the run, or passed in it.</summary>
    DeadlineExceeded,

    /// <summary>The worker is leaving and did not run it.</summary>
    ShuttingDown,

    /// <summary>The model failed, or gave what can't be sent.</summary>
    ModelError,

    /// <summary>It, or its response, is larger than a message may be.</summary>
    TooLarge,

    /// <summary>Its worker died with it.</summary>
    WorkerLost,
}
