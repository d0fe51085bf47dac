using System.Collections.Concurrent;
using System.Text.Json;
using Millrace.Messages;
using RabbitMQ.Client;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>Tickets in quorum queues: persistent, mandatory, confirmed.</summary>
internal sealed class RabbitTickets(RabbitConnections connections, Topology topology) : ITicketQueue, IAsyncDisposable
{
    /// <summary>Unconfirmed at once: more would only wait in the broker's socket.</summary>
    private const int MostUnconfirmed = 256;

    private readonly RabbitPublisher _publisher = connections.Publisher(confirms: true);
    private readonly ConcurrentDictionary<string, int> _declared = new();

    public async Task PublishAsync(IReadOnlyList<RunJob> tickets, CancellationToken cancellation)
    {
        foreach (var model in tickets.Select(t => t.Model).Distinct())
            await DeclareAsync(model, cancellation);
        foreach (var some in tickets.Chunk(MostUnconfirmed))
            await Task.WhenAll(some.Select(ticket => PublishAsync(ticket, cancellation)));
    }

    public Task<int> CountAsync(string model, CancellationToken cancellation) => _publisher.WithChannelAsync(
        async (channel, token) => (int)(await topology.DeclareJobsAsync(channel, model, token)).MessageCount, cancellation);

    public ValueTask DisposeAsync() => _publisher.DisposeAsync();

    private async Task PublishAsync(RunJob ticket, CancellationToken cancellation)
    {
        var properties = new BasicProperties { DeliveryMode = DeliveryModes.Persistent, Type = nameof(RunJob), ContentType = "application/json" };
        try
        {
            await _publisher.PublishAsync("", topology.Jobs(ticket.Model), properties, JsonSerializer.SerializeToUtf8Bytes(ticket, EventsJson.Default.RunJob), mandatory: true, cancellation);
        }
        catch (BrokerUnavailableException)
        {
            _declared.TryRemove(ticket.Model, out _); // its queue may have been deleted
            throw;
        }
    }

    private async Task DeclareAsync(string model, CancellationToken cancellation)
    {
        if (_declared.TryGetValue(model, out var generation) && generation == _publisher.Generation)
            return;
        await CountAsync(model, cancellation);
        _declared[model] = _publisher.Generation;
    }
}
