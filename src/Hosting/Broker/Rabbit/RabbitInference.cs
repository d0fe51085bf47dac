using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Millrace.Messages;
using RabbitMQ.Client;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>The API's end of the sync lane: packs to <c>infer.{model}</c>, replies by a queue of this connection's own.</summary>
internal sealed class RabbitInference : IInferenceQueue, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Waiting> _waiting = new();
    private readonly RabbitPublisher _publisher;
    private readonly RabbitConsumer _replies;
    private readonly RabbitConnections _connections;
    private readonly Topology _topology;
    private readonly BrokerOptions _options;
    private readonly ILogger _logger;
    private TaskCompletionSource<string> _replyTo = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public RabbitInference(RabbitConnections connections, Topology topology, BrokerOptions options, ILogger<RabbitInference> logger)
    {
        (_connections, _topology, _options, _logger) = (connections, topology, options, logger);
        _publisher = connections.Publisher(confirms: false, NoteReturned); // the reply is the confirm
        _replies = connections.Consume(new Consumption
        {
            Name = "replies",
            DeclareAsync = Topology.DeclareOwnAsync,
            Prefetch = () => 0,
            HandleAsync = HandleAsync,
            Attached = NoteAttached,
        });
        connections.AlarmRaised += NoteAlarm;
    }

    public async Task<InferReply> SendAsync(InferPack pack, CancellationToken cancellation)
    {
        var body = PackCodec.Write(pack);
        if (body.Length > _options.MaxMessageBytes)
            return Replies.ToAll(pack, InferFailure.TooLarge, $"A request of the sync lane may have {_options.MaxMessageBytes} bytes with its tensors; this one has {body.Length}. Send it as a job (POST /v1/jobs).");
        var id = Guid.NewGuid().ToString("N"); // nobody who can publish to the reply queue can guess it
        var waiting = new Waiting(pack);
        _waiting[id] = waiting;
        try
        {
            await PublishAsync(pack, id, body, cancellation);
            return await waiting.Reply.Task.WaitAsync(cancellation);
        }
        finally { _waiting.TryRemove(id, out _); }
    }

    public async ValueTask DisposeAsync()
    {
        _connections.AlarmRaised -= NoteAlarm;
        await _replies.DisposeAsync();
        await _publisher.DisposeAsync();
    }

    private async Task PublishAsync(InferPack pack, string id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        if (_connections.Alarm is { } alarm)
            throw Blocked(alarm);
        await _publisher.DeclareOnceAsync(_topology.Infer(pack.Model), (channel, token) => _topology.DeclareInferAsync(channel, pack.Model, token), cancellation);
        var replyTo = await ReplyQueueAsync(cancellation); // after it is known that the broker is there at all
        var longest = pack.Items.Max(i => i.Remaining);
        var properties = new BasicProperties
        {
            DeliveryMode = DeliveryModes.Transient, // its callers would not outlive the broker's restart
            CorrelationId = id,
            ReplyTo = replyTo,
            Expiration = Math.Max(1, (long)longest.TotalMilliseconds).ToString(CultureInfo.InvariantCulture),
        };
        TraceHeaders.Write(pack, properties);
        await _publisher.PublishAsync("", _topology.Infer(pack.Model), properties, body, mandatory: true, cancellation);
    }

    /// <summary>While the reply queue is being made again, a request waits for it no longer than a publish may take.</summary>
    private async Task<string> ReplyQueueAsync(CancellationToken cancellation)
    {
        var queue = Volatile.Read(ref _replyTo).Task;
        if (queue.IsCompletedSuccessfully)
            return queue.Result;
        try { return await queue.WaitAsync(_options.PublishTimeout, cancellation); }
        catch (TimeoutException error) { throw new BrokerUnavailableException("There is no connection to the broker for replies.", error); }
    }

    /// <summary>Its queue was deleted; the next pack declares it again.</summary>
    private void NoteReturned(IReadOnlyBasicProperties properties)
    {
        if (properties.CorrelationId is not { } id || !_waiting.TryGetValue(id, out var waiting))
            return;
        _publisher.Forget(_topology.Infer(waiting.Pack.Model));
        waiting.Reply.TrySetException(new BrokerUnavailableException($"There is no queue for requests to {waiting.Pack.Model}."));
    }

    /// <summary>What it has taken may wait in it for hours, and so may the replies.</summary>
    private void NoteAlarm(string reason)
    {
        foreach (var waiting in _waiting.Values)
            waiting.Reply.TrySetException(Blocked(reason));
    }

    private static BrokerUnavailableException Blocked(string reason) => new($"The broker takes no messages now: {reason}.");

    private void NoteAttached(string? queue)
    {
        if (queue is not null)
        {
            Volatile.Read(ref _replyTo).TrySetResult(queue);
            return;
        }
        Volatile.Write(ref _replyTo, new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously));
        foreach (var waiting in _waiting.Values) // replies to the lost queue come nowhere
            waiting.Reply.TrySetResult(Replies.ToAll(waiting.Pack, InferFailure.DeadlineExceeded, "The connection to the broker was lost while the request was under way; it may have run."));
    }

    private Task HandleAsync(Delivery delivery)
    {
        if (delivery.Properties.CorrelationId is not { } id || !_waiting.TryGetValue(id, out var waiting))
            return Task.CompletedTask; // late
        try { waiting.Reply.TrySetResult(PackCodec.ReadReply(delivery.Body)); }
        catch (InvalidDataException error)
        {
            _logger.MessageUnreadable("replies", error.Message);
            waiting.Reply.TrySetResult(Replies.ToAll(waiting.Pack, InferFailure.ModelError, "The worker's reply can't be read."));
        }
        return Task.CompletedTask;
    }

    private sealed record Waiting(InferPack Pack)
    {
        public TaskCompletionSource<InferReply> Reply { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
