namespace Millrace.Hosting.Broker;

/// <summary>What carries the queues.</summary>
public sealed class BrokerOptions
{
    /// <summary>Address of a RabbitMQ server, as <c>amqp://user:password@host:5672/vhost</c>. Default empty: queues in this process's memory, which need nothing to be set up.</summary>
    public string Url { get; set; } = "";

    /// <summary>Stands before the name of every queue and exchange, so that several installations share a virtual host. Default empty; up to 64 of A-Z a-z 0-9 . _ -</summary>
    public string Prefix { get; set; } = "";

    /// <summary>How long a publish may wait for the broker's confirm. Default 5 s; 100 ms to 1 min.</summary>
    public TimeSpan PublishTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often both ends of a connection give a sign of life; two missed ones end it. Default 10 s; 1 s to 2 min.</summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Largest message of the sync lane, and of its replies; the broker's own limit (RabbitMQ 4: 16 MiB) must not be below it. Default 16 MiB; 64 KiB to 512 MiB.</summary>
    public int MaxMessageBytes { get; set; } = 16 << 20;
}
