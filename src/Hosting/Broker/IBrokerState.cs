namespace Millrace.Hosting.Broker;

/// <summary>What readiness asks of the broker.</summary>
public interface IBrokerState
{
    /// <summary>Each consumer of this process and how long ago its queue last answered; null while it is not attached.</summary>
    IReadOnlyList<(string Name, TimeSpan? Silence)> Consumers { get; }
}
