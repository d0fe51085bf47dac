using System.Net;
using System.Net.Sockets;
using Millrace.Tests.Support.Kubernetes;

namespace Millrace.Drill;

/// <summary>The Service: every new connection goes to a ready pod of the slot that its selector names. As with a real one, connections that are open stay where they are.</summary>
internal sealed class ServiceProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ApiServer _server;
    private readonly Kubelet _kubelet;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;
    private int _turn;

    public ServiceProxy(ApiServer server, Kubelet kubelet)
    {
        (_server, _kubelet) = (server, kubelet);
        _listener.Start(backlog: 512);
        _loop = Task.Run(AcceptAsync);
    }

    public string Url => $"http://{_listener.LocalEndpoint}";

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _loop;
        _listener.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = PipeAsync(await _listener.AcceptTcpClientAsync(_stopping.Token));
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException) { } // the end
    }

    private async Task PipeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                using var pod = await ConnectAsync();
                if (pod is null)
                    return; // as a Service without endpoints: the connection is refused
                client.NoDelay = pod.NoDelay = true;
                await Task.WhenAll(CopyAsync(client, pod), CopyAsync(pod, client));
            }
            catch (Exception error) when (error is IOException or SocketException or OperationCanceledException) { } // one side left, and with it the other
        }
    }

    private async Task<TcpClient?> ConnectAsync()
    {
        var slot = (string)_server.Read(Installation.Service)["spec"]!["selector"]!["millrace/slot"]!;
        var ready = _kubelet.Pods($"millrace-api-{slot}").Where(p => p.IsReady).ToArray();
        for (var tries = 0; tries < ready.Length; tries++)
        {
            var pod = new TcpClient();
            try
            {
                await pod.ConnectAsync(IPAddress.Loopback, ready[(int)((uint)Interlocked.Increment(ref _turn) % (uint)ready.Length)].Port, _stopping.Token);
                return pod;
            }
            catch (SocketException) { pod.Dispose(); } // it died since its last probe
        }
        return null;
    }

    private async Task CopyAsync(TcpClient from, TcpClient to)
    {
        await from.GetStream().CopyToAsync(to.GetStream(), _stopping.Token);
        to.Client.Shutdown(SocketShutdown.Send);
    }
}
