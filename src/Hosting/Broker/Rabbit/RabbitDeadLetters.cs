using System.Text;
using System.Text.Json;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>Consumes what was set aside or dead-lettered.</summary>
internal sealed class RabbitDeadLetters(RabbitConnections connections, Topology topology) : IDeadLetterQueue
{
    private const int MostAtOnce = 16;

    public IWorkConsumer Consume(Func<DeadMessage, Task> handler) => connections.Consume(new Consumption
    {
        Name = topology.Dead,
        DeclareAsync = async (channel, cancellation) => { await topology.DeclareDeadAsync(channel, cancellation); return topology.Dead; },
        Prefetch = () => MostAtOnce,
        HandleAsync = delivery => handler(Read(delivery)),
    });

    private static DeadMessage Read(Delivery delivery)
    {
        var headers = delivery.Properties.Headers;
        var queue = Header(headers, SetAside.Queue) ?? Header(headers, "x-first-death-queue") ?? "unknown";
        var reason = Header(headers, SetAside.Reason) ?? Header(headers, "x-first-death-reason") ?? "unknown";
        Guid? job = null;
        try { job = JsonSerializer.Deserialize(delivery.Body.Span, EventsJson.Default.RunJob)?.JobId; }
        catch (JsonException) { } // that is why it is here
        return new DeadMessage(delivery.Properties.MessageId ?? "", queue, reason, job, delivery.Body);
    }

    private static string? Header(IDictionary<string, object?>? headers, string name) => headers is not null && headers.TryGetValue(name, out var value)
        ? value is byte[] text ? Encoding.UTF8.GetString(text) : value?.ToString()
        : null;
}
