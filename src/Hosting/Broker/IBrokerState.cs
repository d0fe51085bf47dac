using Millrace.Hosting.Resilience;

namespace Millrace.Hosting.Broker;

/// <summary>What readiness and operators ask of the broker.</summary>
public interface IBrokerState
{
    /// <summary>Each consumer of this process and how long ago its queue last answered; null while it is not attached.</summary>
    IReadOnlyList<(string Name, TimeSpan? Silence)> Consumers { get; }

    /// <summary>Of the circuit around what is published.</summary>
    Circuit Circuit { get; }

    /// <summary>Why the broker takes no messages though it is there (its memory or its disk are short); null when it does.</summary>
    string? Alarm { get; }
}
