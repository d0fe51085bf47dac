using System.Net;
using System.Net.Sockets;

namespace Millrace.Chaos;

/// <summary>A proxy before the database that lets some commits through and swallows their answers: whether they happened is unknown to who sent them.</summary>
public sealed class CommitCutter : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Uri _server;
    private readonly Task _loop;
    private int _toCut;
    private int _cut;

    public CommitCutter(Uri server)
    {
        _server = server;
        _listener.Start();
        _loop = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Commits whose answer was swallowed so far.</summary>
    public int Cut => Volatile.Read(ref _cut);

    /// <summary>Swallows the answers of so many further commits.</summary>
    public void CutNext(int commits) => Interlocked.Add(ref _toCut, commits);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _loop;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException) { } // disposed
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var near = client;
        using var far = new TcpClient();
        try
        {
            await far.ConnectAsync(_server.Host, _server.Port, _stop.Token);
            (near.NoDelay, far.NoDelay) = (true, true);
            var swallow = new TaskCompletionSource();
            using var over = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            await Task.WhenAny(ForwardAsync(near.GetStream(), far.GetStream(), swallow, over.Token), ReturnAsync(far.GetStream(), near.GetStream(), swallow.Task, over.Token));
            await over.CancelAsync();
        }
        catch (Exception error) when (error is OperationCanceledException or IOException or SocketException) { } // one side is gone
    }

    private async Task ForwardAsync(NetworkStream from, NetworkStream to, TaskCompletionSource swallow, CancellationToken cancellation)
    {
        var buffer = new byte[64 << 10];
        while (await from.ReadAsync(buffer, cancellation) is > 0 and var count)
        {
            if (buffer.AsSpan(0, count).IndexOf("COMMIT"u8) >= 0 && TryTake())
                swallow.TrySetResult();
            await to.WriteAsync(buffer.AsMemory(0, count), cancellation);
        }
    }

    private async Task ReturnAsync(NetworkStream from, NetworkStream to, Task swallow, CancellationToken cancellation)
    {
        var buffer = new byte[64 << 10];
        while (await from.ReadAsync(buffer, cancellation) is > 0 and var count)
        {
            if (swallow.IsCompleted)
            {
                Interlocked.Increment(ref _cut); // the server has answered, so it has committed
                return;
            }
            await to.WriteAsync(buffer.AsMemory(0, count), cancellation);
        }
    }

    private bool TryTake()
    {
        if (Interlocked.Decrement(ref _toCut) >= 0)
            return true;
        Interlocked.Increment(ref _toCut);
        return false;
    }
}
