namespace Millrace.Hosting.Broker;

/// <summary>The broker can't be reached, or refused a message.</summary>
public sealed class BrokerUnavailableException : Exception
{
    public BrokerUnavailableException() { }
    public BrokerUnavailableException(string message) : base(message) { }
    public BrokerUnavailableException(string message, Exception inner) : base(message, inner) { }
}
