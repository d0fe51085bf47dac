using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>What a consumer takes, and how.</summary>
internal sealed record Consumption
{
    /// <summary>For the log and for readiness, as <c>jobs.digits</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Declares what the consumer needs; the name of its queue.</summary>
    public required Func<IChannel, CancellationToken, Task<string>> DeclareAsync { get; init; }

    /// <summary>Messages in work at once; asked again every second. 0 takes all there are and acknowledges them unseen.</summary>
    public required Func<int> Prefetch { get; init; }

    /// <summary>Its end is the ack. It runs beside others, so it may wait.</summary>
    public required Func<Delivery, Task> HandleAsync { get; init; }

    /// <summary>Its messages can be made again, so it is deleted and declared anew when the broker has it and does not serve it.</summary>
    /// <remarks>A broker that is killed moments after a quorum queue was declared may come back with a queue that has no leader and never gets one (seen with RabbitMQ 3.10);
    /// consuming from it never returns, and after a minute ends the whole connection.</remarks>
    public bool IsReplaceable { get; init; }

    /// <summary>Called with the queue's name when a consumer is attached, and with null when it is lost.</summary>
    public Action<string?> Attached { get; init; } = _ => { };
}

/// <param name="Body">Its own copy.</param>
internal sealed record Delivery(ReadOnlyMemory<byte> Body, IReadOnlyBasicProperties Properties, bool Redelivered, string Queue);

/// <summary>A consumer that stays attached: after a lost connection, a deleted queue or a cancel by the broker it declares and attaches again.</summary>
internal sealed class RabbitConsumer : IWorkConsumer
{
    /// <summary>Calls in a row that the broker left without an answer.</summary>
    private const int MostUnanswered = 2;

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(5);

    private readonly Consumption _what;
    private readonly RabbitLink _link;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopTaking = new();
    private readonly CancellationTokenSource _end = new();
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _loop;
    private bool _attached;
    private long? _seenAt;
    private int _prefetch;
    private int _inWork;
    private bool _told;
    private int _unanswered;

    public RabbitConsumer(Consumption what, RabbitLink link, TimeProvider time, ILogger logger)
    {
        (_what, _link, _time, _logger) = (what, link, time, logger);
        _loop = Task.Run(RunAsync);
    }

    public string Name => _what.Name;

    /// <summary>It was told to take nothing more.</summary>
    public bool IsLeaving { get; private set; }
    public bool HasLeft => _loop.IsCompleted;

    /// <summary>Since the queue last answered; null while no consumer is attached.</summary>
    public TimeSpan? Silence => Volatile.Read(ref _attached) && _seenAt is { } at ? _time.GetElapsedTime(at) : null;

    /// <summary>Takes no further messages; those in work may end and are acknowledged.</summary>
    public void StopTaking()
    {
        IsLeaving = true;
        _stopTaking.Cancel();
    }

    /// <summary>Waits a moment for what is in work; what does not end in it is given back.</summary>
    public async ValueTask DisposeAsync()
    {
        IsLeaving = true;
        await _stopTaking.CancelAsync();
        if (Volatile.Read(ref _inWork) == 0)
            _idle.TrySetResult();
        try { await _idle.Task.WaitAsync(LongestEnd, _time); }
        catch (TimeoutException) { } // unacknowledged, so it is delivered to another
        await _end.CancelAsync();
        await _loop;
        _end.Dispose();
        _stopTaking.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            try { await AttachAsync(); }
            catch (Exception error) when (!_end.IsCancellationRequested) // whatever it was: this loop is what brings the consumer back
            {
                if (!_told && error is not BrokerUnavailableException)
                    _logger.ConsumerLost(_what.Name, RabbitFaults.Reason(error));
                _told = true;
            }
            catch (Exception) { return; } // leaving
            if (_end.IsCancellationRequested)
                return;
            Detached();
            await WaitAsync(LookEvery * (0.5 + Random.Shared.NextDouble()), _end.Token); // not all at once, after a broker's restart
        }
    }

    private void Detached()
    {
        if (!_attached)
            return;
        Volatile.Write(ref _attached, false);
        _what.Attached(null);
    }

    /// <summary>Returns when the consumer is lost, or should be attached anew with another prefetch; while leaving, when all is over.</summary>
    private async Task AttachAsync()
    {
        var connection = await _link.ConnectAsync(_end.Token);
        var channel = await connection.CreateChannelAsync(cancellationToken: _end.Token);
        try
        {
            var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            channel.ChannelShutdownAsync += (_, _) => { lost.TrySetResult(); return Task.CompletedTask; };
            if (_what.IsReplaceable && _unanswered >= MostUnanswered)
                await DeleteAsync(channel);
            var queue = await _what.DeclareAsync(channel, _end.Token);
            while (!_end.IsCancellationRequested && !_stopTaking.IsCancellationRequested)
            {
                var tag = await ConsumeAsync(channel, queue, lost);
                if (!await WatchAsync(channel, queue, lost.Task))
                    return;
                await channel.BasicCancelAsync(tag, cancellationToken: _end.Token);
            }
            await Task.WhenAny(lost.Task, WaitAsync(Timeout.InfiniteTimeSpan, _end.Token)); // the channel stays for the acks of what is in work
        }
        finally
        {
            try { await channel.DisposeAsync(); }
            catch (Exception error) when (RabbitFaults.IsOutside(error)) { } // it was lost with its connection
        }
    }

    private async Task<string> BeginAsync(IChannel channel, Listener listener)
    {
        try
        {
            var tag = await channel.BasicConsumeAsync(listener.Queue, autoAck: _prefetch == 0, listener, _end.Token);
            _unanswered = 0;
            return tag;
        }
        catch (Exception error) when (error is OperationCanceledException or TimeoutException)
        {
            _unanswered++;
            throw;
        }
    }

    private async Task DeleteAsync(IChannel channel)
    {
        _unanswered = 0;
        _logger.QueueUnserved(_what.Name);
        await channel.QueueDeleteAsync(await _what.DeclareAsync(channel, _end.Token), ifUnused: false, ifEmpty: false, noWait: false, _end.Token); // it may take longer than we wait, and happens all the same
    }

    private async Task<string> ConsumeAsync(IChannel channel, string queue, TaskCompletionSource lost)
    {
        _prefetch = _what.Prefetch();
        if (_prefetch > 0)
            await channel.BasicQosAsync(0, (ushort)Math.Min(_prefetch, ushort.MaxValue), global: false, _end.Token);
        var tag = await BeginAsync(channel, new Listener(this, channel, queue, lost));
        _seenAt = _time.GetTimestamp();
        Volatile.Write(ref _attached, true);
        if (_told)
            _logger.ConsumerBack(_what.Name);
        _told = false;
        _what.Attached(queue);
        return tag;
    }

    /// <summary>Asks for the queue every second: a connection that is half open, or a consumer that the broker forgot, shows within that. True: attach anew.</summary>
    private async Task<bool> WatchAsync(IChannel channel, string queue, Task lost)
    {
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(_end.Token, _stopTaking.Token);
        while (true)
        {
            var pause = WaitAsync(LookEvery, leaving.Token);
            if (await Task.WhenAny(lost, pause) == lost)
                return false;
            if (leaving.IsCancellationRequested)
                return true;
            var state = await channel.QueueDeclarePassiveAsync(queue, _end.Token);
            if (state.ConsumerCount == 0)
                return false;
            _seenAt = _time.GetTimestamp();
            var prefetch = _what.Prefetch();
            if (_prefetch > 0 && (prefetch >= _prefetch * 2 || prefetch * 2 <= _prefetch))
                return true; // a queue's prefetch is fixed when its consumer attaches
        }
    }

    private async Task HandleAsync(IChannel channel, ulong tag, Delivery delivery)
    {
        Interlocked.Increment(ref _inWork);
        var acknowledge = _prefetch > 0;
        try
        {
            var handled = await TryHandleAsync(delivery);
            if (acknowledge && handled)
                await channel.BasicAckAsync(tag, multiple: false, CancellationToken.None);
            else if (acknowledge)
                await channel.BasicNackAsync(tag, multiple: false, requeue: true, CancellationToken.None);
        }
        catch (Exception error) when (RabbitFaults.IsOutside(error)) { } // the channel is gone, and what was not acknowledged is delivered again
        finally
        {
            if (Interlocked.Decrement(ref _inWork) == 0 && _stopTaking.IsCancellationRequested)
                _idle.TrySetResult();
        }
    }

    private async Task<bool> TryHandleAsync(Delivery delivery)
    {
        try
        {
            await _what.HandleAsync(delivery);
            return true;
        }
        catch (Exception error) // whatever it was: the message goes back to whoever is free, but not in a hot loop
        {
            _logger.HandlerFailed(error, _what.Name);
            await WaitAsync(LookEvery, _end.Token);
            return false;
        }
    }

    private async Task WaitAsync(TimeSpan pause, CancellationToken cancellation)
    {
        try { await Task.Delay(pause, _time, cancellation); }
        catch (OperationCanceledException) { } // leaving
    }

    /// <summary>Starts the handling of what comes, and hears when the broker cancels the consumer, as it does when the queue is deleted.</summary>
    private sealed class Listener(RabbitConsumer consumer, IChannel channel, string queue, TaskCompletionSource lost) : AsyncDefaultBasicConsumer(channel)
    {
        public string Queue => queue;

        public override Task HandleBasicDeliverAsync(string consumerTag, ulong deliveryTag, bool redelivered, string exchange, string routingKey, IReadOnlyBasicProperties properties,
            ReadOnlyMemory<byte> body, CancellationToken cancellationToken = default)
        {
            var delivery = new Delivery(body.ToArray(), new BasicProperties(properties), redelivered, Queue); // the client takes its buffer back
            _ = consumer.HandleAsync(Channel, deliveryTag, delivery);
            return Task.CompletedTask;
        }

        public override Task HandleBasicCancelAsync(string consumerTag, CancellationToken cancellationToken = default)
        {
            lost.TrySetResult();
            return base.HandleBasicCancelAsync(consumerTag, cancellationToken);
        }
    }
}
