using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Millrace.Messages;
using RabbitMQ.Client;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>Events by a fan-out exchange: each process has a queue of its own, which ends with it. Publishing never waits for the broker, and never fails.</summary>
internal sealed class RabbitEvents : IEventBus, IAsyncDisposable
{
    private const int MostWaiting = 10_000;

    private readonly ConcurrentDictionary<string, Action<ReadOnlyMemory<byte>>> _handlers = new();
    private readonly Channel<(string Type, byte[] Body)> _leaving = Channel.CreateBounded<(string, byte[])>(
        new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
    private readonly RabbitPublisher _publisher;
    private readonly Topology _topology;
    private readonly ILogger _logger;
    private readonly RabbitConsumer _consumer;
    private readonly Task _loop;

    public RabbitEvents(RabbitConnections connections, Topology topology, ILogger<RabbitEvents> logger)
    {
        (_publisher, _topology, _logger) = (connections.Publisher(confirms: false), topology, logger);
        _consumer = connections.Consume(new Consumption
        {
            Name = topology.Events,
            DeclareAsync = DeclareAsync,
            Prefetch = () => 0,
            HandleAsync = HandleAsync,
        });
        _loop = Task.Run(PublishAllAsync);
    }

    public Task PublishAsync<T>(T message, CancellationToken cancellation) where T : class
    {
        _leaving.Writer.TryWrite((typeof(T).Name, JsonSerializer.SerializeToUtf8Bytes(message, typeof(T), EventsJson.Default)));
        return Task.CompletedTask;
    }

    public IDisposable Subscribe<T>(Action<T> handler) where T : class
    {
        void Handle(ReadOnlyMemory<byte> body) => handler((T)JsonSerializer.Deserialize(body.Span, typeof(T), EventsJson.Default)!);
        Action<ReadOnlyMemory<byte>> added = Handle;
        _handlers.AddOrUpdate(typeof(T).Name, added, (_, present) => present + added);
        return new Subscription(() => _handlers.AddOrUpdate(typeof(T).Name, _ => static _ => { }, (_, present) => (present - added) ?? (static _ => { })));
    }

    public async ValueTask DisposeAsync()
    {
        _leaving.Writer.TryComplete();
        await _loop;
        await _consumer.DisposeAsync();
        await _publisher.DisposeAsync();
    }

    private async Task<string> DeclareAsync(IChannel channel, CancellationToken cancellation)
    {
        await _topology.DeclareEventsAsync(channel, cancellation);
        var queue = await Topology.DeclareOwnAsync(channel, cancellation);
        await channel.QueueBindAsync(queue, _topology.Events, "", cancellationToken: cancellation);
        return queue;
    }

    private Task HandleAsync(Delivery delivery)
    {
        if (delivery.Properties.Type is not { } type || !_handlers.TryGetValue(type, out var handlers))
            return Task.CompletedTask; // of a later version, or nobody here listens
        try { handlers(delivery.Body); }
        catch (JsonException error) { _logger.MessageUnreadable(_topology.Events, error.Message); } // a hint, so it may be dropped
        return Task.CompletedTask;
    }

    private async Task PublishAllAsync()
    {
        await foreach (var (type, body) in _leaving.Reader.ReadAllAsync())
        {
            try
            {
                await _publisher.DeclareOnceAsync(_topology.Events, _topology.DeclareEventsAsync, CancellationToken.None);
                await _publisher.PublishAsync(_topology.Events, "", new BasicProperties { Type = type }, body, mandatory: false, CancellationToken.None);
            }
            catch (BrokerUnavailableException) { } // the link has told; whoever waits reads the store again after a while
        }
    }

    private sealed class Subscription(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}

[JsonSerializable(typeof(ChaosOrder))]
[JsonSerializable(typeof(JobsFinished))]
[JsonSerializable(typeof(ModelsChanged))]
[JsonSerializable(typeof(ModelWished))]
[JsonSerializable(typeof(StopRuns))]
[JsonSerializable(typeof(RunJob))]
internal sealed partial class EventsJson : JsonSerializerContext;
