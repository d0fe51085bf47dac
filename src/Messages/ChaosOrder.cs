namespace Millrace.Messages;

/// <summary>Makes calls to one target go wrong for a while, in every process that has chaos enabled. Fanned out; it ends by itself.</summary>
public sealed record ChaosOrder
{
    /// <summary>broker, store or model.</summary>
    public required string Target { get; init; }

    /// <summary>latency, fault or outcome; none ends what was ordered before.</summary>
    public required string Kind { get; init; }

    /// <summary>Share of calls, 0 to 1.</summary>
    public double Rate { get; init; }

    /// <summary>What is added to a call by latency.</summary>
    public int LatencyMs { get; init; }

    /// <summary>How long it holds. A duration, since clocks differ.</summary>
    public int DurationSeconds { get; init; }

    /// <summary>Only processes with this <c>Millrace:Chaos:Scope</c>; empty for all.</summary>
    public string Scope { get; init; } = "";
}
