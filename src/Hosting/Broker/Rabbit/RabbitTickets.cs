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

    public async Task PublishAsync(IReadOnlyList<RunJob> tickets, CancellationToken cancellation)
    {
        foreach (var model in tickets.Select(t => t.Model).Distinct())
            await _publisher.DeclareOnceAsync(topology.Jobs(model), (channel, token) => topology.DeclareJobsAsync(channel, model, token), cancellation);
        foreach (var some in tickets.Chunk(MostUnconfirmed))
            await Task.WhenAll(some.Select(ticket => PublishAsync(ticket, cancellation)));
    }

    public Task<int> CountAsync(string model, CancellationToken cancellation) => _publisher.WithChannelAsync(
        async (channel, token) => (int)(await topology.DeclareJobsAsync(channel, model, token)).MessageCount, cancellation);

    public ValueTask DisposeAsync() => _publisher.DisposeAsync();

    private Task PublishAsync(RunJob ticket, CancellationToken cancellation)
    {
        var properties = new BasicProperties { DeliveryMode = DeliveryModes.Persistent, Type = nameof(RunJob), ContentType = "application/json" };
        return _publisher.PublishAsync("", topology.Jobs(ticket.Model), properties, JsonSerializer.SerializeToUtf8Bytes(ticket, EventsJson.Default.RunJob), mandatory: true, cancellation);
    }
}
