using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>One connection that is made again when it is lost. While the broker is away, callers are refused at once and only one tries.</summary>
internal sealed class RabbitLink(BrokerOptions options, string purpose, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);

    private readonly SemaphoreSlim _gate = new(1, 1);
    private volatile IConnection? _connection;
    private long? _failedAt;
    private string _failure = "";
    private bool _told;
    private bool _disposed;

    /// <summary>Why the broker blocks this connection; null when it does not.</summary>
    public string? Alarm { get; private set; }

    public event Action<string>? AlarmRaised;

    /// <exception cref="BrokerUnavailableException">The broker can't be reached, or could not just now.</exception>
    public async Task<IConnection> ConnectAsync(CancellationToken cancellation)
    {
        if (_connection is { IsOpen: true } open)
            return open;
        await _gate.WaitAsync(cancellation);
        try
        {
            if (_connection is { IsOpen: true } opened)
                return opened;
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_failedAt is { } failed && time.GetElapsedTime(failed) < RetryAfter)
                throw new BrokerUnavailableException(_failure);
            return await OpenAsync(cancellation);
        }
        finally { _gate.Release(); }
    }

    public async ValueTask DisposeAsync()
    {
        await _gate.WaitAsync();
        _disposed = true;
        var connection = _connection;
        _connection = null;
        _gate.Release();
        if (connection is null)
            return;
        try { await connection.CloseAsync(200, "leaving", TimeSpan.FromSeconds(2), abort: true, CancellationToken.None); }
        catch (Exception error) when (RabbitFaults.IsOutside(error)) { } // it is going away as it is
        await connection.DisposeAsync();
    }

    private async Task<IConnection> OpenAsync(CancellationToken cancellation)
    {
        if (_connection is { } lost)
        {
            _connection = null;
            logger.BrokerLost(purpose, lost.CloseReason?.ReplyText ?? "closed");
            await lost.DisposeAsync();
        }
        try
        {
            var connection = await Factory().CreateConnectionAsync(cancellation);
            (_connection, _failedAt, Alarm) = (connection, null, null);
            connection.ConnectionBlockedAsync += (_, blocked) => { Block(blocked.Reason); return Task.CompletedTask; };
            connection.ConnectionUnblockedAsync += (_, _) => { Unblock(); return Task.CompletedTask; };
            if (_told)
                logger.BrokerBack(purpose);
            _told = false;
            return connection;
        }
        catch (Exception error) when (RabbitFaults.IsOutside(error) && !cancellation.IsCancellationRequested)
        {
            _failure = $"The broker at {Address} can't be reached: {RabbitFaults.Reason(error)}";
            _failedAt = time.GetTimestamp();
            if (!_told)
                logger.BrokerAway(purpose, _failure); // once, not at every try
            _told = true;
            throw new BrokerUnavailableException(_failure, error);
        }
    }

    private void Block(string reason)
    {
        Alarm = reason;
        logger.BrokerBlocks(purpose, reason);
        AlarmRaised?.Invoke(reason);
    }

    private void Unblock()
    {
        Alarm = null;
        logger.BrokerUnblocks(purpose);
    }

    private ConnectionFactory Factory() => new()
    {
        Uri = new Uri(options.Url),
        AutomaticRecoveryEnabled = false, // consumers and publishers make their channels again themselves, with their queues
        TopologyRecoveryEnabled = false,
        RequestedHeartbeat = options.Heartbeat,
        RequestedConnectionTimeout = ConnectTimeout,
        HandshakeContinuationTimeout = ConnectTimeout,
        ContinuationTimeout = ConnectTimeout,
        ClientProvidedName = $"millrace {purpose} {Environment.ProcessId}",
        MaxInboundMessageBodySize = (uint)options.MaxMessageBytes + (1 << 20),
    };

    private string Address => new Uri(options.Url) is var url ? $"{url.Host}:{(url.Port > 0 ? url.Port : 5672)}" : "";
}

/// <summary>What the outside world did to a call on the broker.</summary>
internal static class RabbitFaults
{
    public static bool IsOutside(Exception error) => error is RabbitMQClientException or IOException or TimeoutException or OperationCanceledException
        or ObjectDisposedException or System.Net.Sockets.SocketException or BrokerUnavailableException or EndOfStreamException;

    /// <summary>The innermost text says what really happened.</summary>
    public static string Reason(Exception error) => error is OperationInterruptedException { ShutdownReason.ReplyText: { } text } ? text : error.GetBaseException().Message;
}
