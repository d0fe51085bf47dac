using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>Two connections: an alarm in the broker blocks every connection that has published, and what is consumed must still be acknowledged then.</summary>
internal sealed class RabbitConnections(BrokerOptions options, TimeProvider time, ILogger<RabbitConnections> logger) : IBrokerState, IAsyncDisposable
{
    private readonly RabbitLink _publishing = new(options, "publish", time, logger);
    private readonly RabbitLink _consuming = new(options, "consume", time, logger);
    private readonly ConcurrentDictionary<RabbitConsumer, bool> _consumers = new();

    public IReadOnlyList<(string Name, TimeSpan? Silence)> Consumers => _consumers.Keys.Select(c => (c.Name, c.Silence)).ToArray();

    public RabbitPublisher Publisher(bool confirms, Action<IReadOnlyBasicProperties>? returned = null) => new(_publishing, options, confirms, returned);

    public RabbitConsumer Consume(Consumption what)
    {
        var consumer = new RabbitConsumer(what, _consuming, time, logger);
        _consumers[consumer] = true;
        return consumer;
    }

    public async ValueTask DisposeAsync()
    {
        await _consuming.DisposeAsync();
        await _publishing.DisposeAsync();
    }
}
