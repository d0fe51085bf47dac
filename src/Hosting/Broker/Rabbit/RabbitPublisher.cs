using System.Collections.Concurrent;
using Millrace.Hosting.Resilience;
using Polly;
using RabbitMQ.Client;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>A channel to publish on, made again when it is lost. With confirms, a publish returns when the broker has the message.</summary>
/// <param name="losses">Lets messages be confirmed and lost, in drills.</param>
/// <param name="returned">Without confirms: hears of a mandatory message that fits no queue.</param>
internal sealed class RabbitPublisher(RabbitLink link, Breaker breaker, ResiliencePipeline<bool> losses, BrokerOptions options, bool confirms, Action<IReadOnlyBasicProperties>? returned = null) : IAsyncDisposable
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private volatile ConcurrentDictionary<string, bool> _declared = new();
    private volatile IChannel? _channel;

    /// <summary>Declares what is published to, once for each channel: what was declared before may be gone with the broker.</summary>
    /// <param name="name">Of the queue or exchange.</param>
    /// <exception cref="BrokerUnavailableException">The broker does not answer, or refuses it.</exception>
    public async Task DeclareOnceAsync(string name, Func<IChannel, CancellationToken, Task> declare, CancellationToken cancellation)
    {
        if (_channel is { IsOpen: true } && _declared.ContainsKey(name))
            return;
        await WithChannelAsync(async (channel, token) =>
        {
            var declared = _declared; // of this channel, or of an earlier one, which is no harm
            await declare(channel, token);
            return declared[name] = true;
        }, cancellation);
    }

    /// <summary>It may have been deleted, so it is declared again before the next message.</summary>
    public void Forget(string name) => _declared.TryRemove(name, out _);

    /// <param name="mandatory">A message that fits no queue is a failure.</param>
    /// <exception cref="BrokerUnavailableException">It was refused, returned, or not confirmed in time; the broker may have it nevertheless.</exception>
    public Task PublishAsync(string exchange, string key, BasicProperties properties, ReadOnlyMemory<byte> body, bool mandatory, CancellationToken cancellation) => breaker.RunAsync(() => losses.ExecuteAsync(async _ =>
    {
        await PublishNowAsync(exchange, key, properties, body, mandatory, cancellation);
        return true;
    }, CancellationToken.None).AsTask());

    public Task<T> WithChannelAsync<T>(Func<IChannel, CancellationToken, Task<T>> use, CancellationToken cancellation) => breaker.RunAsync(() => WithChannelNowAsync(use, cancellation));

    public async ValueTask DisposeAsync()
    {
        if (_channel is { } channel)
            await CloseAsync(channel);
    }

    private async Task PublishNowAsync(string exchange, string key, BasicProperties properties, ReadOnlyMemory<byte> body, bool mandatory, CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(options.PublishTimeout);
        try
        {
            var channel = await OpenAsync(deadline.Token);
            await channel.BasicPublishAsync(exchange, key, mandatory, properties, body, deadline.Token);
        }
        catch (Exception error) when (RabbitFaults.IsOutside(error) && error is not BrokerUnavailableException && !cancellation.IsCancellationRequested)
        {
            Forget(key);
            var reason = error is OperationCanceledException ? $"no confirm within {options.PublishTimeout.TotalSeconds} s" : RabbitFaults.Reason(error);
            throw new BrokerUnavailableException($"A message to {exchange}{key} was not taken by the broker: {reason}", error);
        }
    }

    private async Task<T> WithChannelNowAsync<T>(Func<IChannel, CancellationToken, Task<T>> use, CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(options.PublishTimeout);
        try { return await use(await OpenAsync(deadline.Token), deadline.Token); }
        catch (Exception error) when (RabbitFaults.IsOutside(error) && error is not BrokerUnavailableException && !cancellation.IsCancellationRequested)
        {
            throw new BrokerUnavailableException($"The broker did not answer: {RabbitFaults.Reason(error)}", error);
        }
    }

    private async ValueTask<IChannel> OpenAsync(CancellationToken cancellation)
    {
        if (_channel is { IsOpen: true } open)
            return open;
        await _gate.WaitAsync(cancellation);
        try
        {
            if (_channel is { IsOpen: true } opened)
                return opened;
            if (_channel is { } old)
                await CloseAsync(old);
            var connection = await link.ConnectAsync(cancellation);
            _channel = await connection.CreateChannelAsync(
                new CreateChannelOptions(confirms, confirms, outstandingPublisherConfirmationsRateLimiter: null), cancellation);
            if (returned is not null)
                _channel.BasicReturnAsync += (_, message) => { returned(message.BasicProperties); return Task.CompletedTask; };
            _declared = new ConcurrentDictionary<string, bool>();
            return _channel;
        }
        finally { _gate.Release(); }
    }

    private static async Task CloseAsync(IChannel channel)
    {
        try { await channel.DisposeAsync(); }
        catch (Exception error) when (RabbitFaults.IsOutside(error)) { } // it was lost with its connection
    }
}
