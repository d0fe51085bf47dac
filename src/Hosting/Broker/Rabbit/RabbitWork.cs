using System.Text.Json;
using Microsoft.Extensions.Logging;
using Millrace.Messages;
using RabbitMQ.Client;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>The worker's end of both lanes.</summary>
internal sealed class RabbitWork(RabbitConnections connections, Topology topology, BrokerOptions options, ILogger<RabbitWork> logger) : IWorkQueue, IAsyncDisposable
{
    /// <summary>One in the run and one ready behind it: what is held here another worker can't take.</summary>
    private const int PacksPerInstance = 2;

    private readonly RabbitPublisher _replies = connections.Publisher(confirms: false);
    private readonly RabbitPublisher _aside = connections.Publisher(confirms: true);

    public async Task DeclareAsync(string model, CancellationToken cancellation)
    {
        await _aside.DeclareOnceAsync(topology.Dead, topology.DeclareDeadAsync, cancellation);
        await _aside.DeclareOnceAsync(topology.Jobs(model), (channel, token) => topology.DeclareJobsAsync(channel, model, token), cancellation);
        await _aside.DeclareOnceAsync(topology.Infer(model), (channel, token) => topology.DeclareInferAsync(channel, model, token), cancellation);
    }

    public IWorkConsumer ConsumePacks(string model, Func<int> instances, Func<InferPack, Task<InferReply>> handler) => connections.Consume(new Consumption
    {
        Name = topology.Infer(model),
        DeclareAsync = async (channel, cancellation) => { await topology.DeclareInferAsync(channel, model, cancellation); return topology.Infer(model); },
        Prefetch = () => PacksPerInstance * Math.Max(1, instances()),
        HandleAsync = delivery => AnswerAsync(delivery, handler),
    });

    public IWorkConsumer ConsumeTickets(string model, Func<int> prefetch, Func<RunJob, Task> handler)
    {
        Consumption From(string queue, Func<IChannel, CancellationToken, Task> declare) => new()
        {
            Name = queue,
            DeclareAsync = async (channel, cancellation) => { await declare(channel, cancellation); return queue; },
            Prefetch = () => Math.Max(1, prefetch()),
            HandleAsync = delivery => RunAsync(delivery, model, handler),
            IsReplaceable = true, // tickets are hints
        };
        var present = From(topology.Jobs(model), (channel, cancellation) => topology.DeclareJobsAsync(channel, model, cancellation));
        var earlier = topology.EarlierJobs(model).Select(name => From(name, (channel, cancellation) => channel.QueueDeclarePassiveAsync(name, cancellation)));
        return new Together([.. earlier.Append(present).Select(connections.Consume)]);
    }

    public async ValueTask DisposeAsync()
    {
        await _replies.DisposeAsync();
        await _aside.DisposeAsync();
    }

    private async Task AnswerAsync(Delivery delivery, Func<InferPack, Task<InferReply>> handler)
    {
        InferPack pack;
        try { pack = TraceHeaders.Read(PackCodec.ReadPack(delivery.Body), delivery.Properties); }
        catch (InvalidDataException error)
        {
            await SetAsideAsync(delivery, error.Message);
            return;
        }
        if (delivery.Properties.ReplyTo is not { Length: > 0 } replyTo)
        {
            await SetAsideAsync(delivery, "It names no queue for the reply.");
            return;
        }
        var reply = delivery.Redelivered // it may be what took its worker down, and its caller can send it again
            ? Replies.ToAll(pack, InferFailure.WorkerLost, "The worker that had the request was lost; send it again.")
            : await handler(pack);
        var body = PackCodec.Write(reply);
        if (body.Length > options.MaxMessageBytes)
            body = PackCodec.Write(Replies.ToAll(pack, InferFailure.TooLarge, $"The response has more than {options.MaxMessageBytes} bytes, which is the most that the sync lane carries; send a job (POST /v1/jobs)."));
        try { await _replies.PublishAsync("", replyTo, new BasicProperties { CorrelationId = delivery.Properties.CorrelationId }, body, mandatory: false, CancellationToken.None); }
        catch (BrokerUnavailableException error) { logger.ReplyLost(error); } // the caller waits to its deadline
    }

    private async Task RunAsync(Delivery delivery, string model, Func<RunJob, Task> handler)
    {
        RunJob? ticket = null;
        var reason = $"It is a ticket of another model than {model}.";
        try { ticket = JsonSerializer.Deserialize(delivery.Body.Span, EventsJson.Default.RunJob); }
        catch (JsonException error) { reason = error.Message; }
        if (ticket is null || ticket.Model != model)
        {
            await SetAsideAsync(delivery, reason);
            return;
        }
        await handler(ticket);
    }

    /// <summary>A copy goes to the queue of the dead, and only when the broker has it may the message be acknowledged.</summary>
    private async Task SetAsideAsync(Delivery delivery, string reason)
    {
        logger.MessageUnreadable(delivery.Queue, reason);
        var properties = new BasicProperties
        {
            DeliveryMode = DeliveryModes.Persistent,
            MessageId = Guid.NewGuid().ToString("N"),
            Headers = new Dictionary<string, object?> { [SetAside.Reason] = reason, [SetAside.Queue] = delivery.Queue },
        };
        await _aside.DeclareOnceAsync(topology.Dead, topology.DeclareDeadAsync, CancellationToken.None);
        await _aside.PublishAsync("", topology.Dead, properties, delivery.Body, mandatory: true, CancellationToken.None);
    }

    private sealed class Together(IReadOnlyList<RabbitConsumer> consumers) : IWorkConsumer
    {
        public void StopTaking()
        {
            foreach (var consumer in consumers)
                consumer.StopTaking();
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var consumer in consumers)
                await consumer.DisposeAsync();
        }
    }
}

/// <summary>Headers of a message that was set aside.</summary>
internal static class SetAside
{
    public const string Reason = "x-millrace-reason";
    public const string Queue = "x-millrace-queue";
}
