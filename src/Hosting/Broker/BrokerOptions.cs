namespace Millrace.Hosting.Broker;

/// <summary>What carries the queues.</summary>
public sealed class BrokerOptions
{
    /// <summary>Address of a RabbitMQ server (3.10 is what is tested), as <c>amqp://user:password@host:5672/vhost</c>. Empty: queues in this process's memory.</summary>
    public string Url { get; set; } = "";

    /// <summary>Stands before the name of every queue and exchange, so that several installations share a virtual host. Up to 64 of <c>A-Z a-z 0-9 . _ -</c>.</summary>
    public string Prefix { get; set; } = "";

    /// <summary>How long a publish may wait for the broker's confirm. 100 ms to 1 min.</summary>
    public TimeSpan PublishTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often both ends of a connection give a sign of life; two missed ones end it. 1 s to 2 min.</summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Largest message of the sync lane, and of its replies; larger ones are 413. The broker's own limit must not be below it. 65,536 to 536,870,912.</summary>
    public int MaxMessageBytes { get; set; } = 16 << 20;
}
