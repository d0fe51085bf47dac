namespace Millrace.Hosting.Broker;

/// <summary>What carries the queues.</summary>
public sealed class BrokerOptions
{
    /// <summary>Address of a RabbitMQ server. Default empty: queues in this process's memory, which need nothing to be set up.</summary>
    public string Url { get; set; } = "";
}
