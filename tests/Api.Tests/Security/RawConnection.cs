using System.Net.Sockets;
using System.Text;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Security;

/// <summary>Bytes as no HTTP client sends them.</summary>
internal sealed class RawConnection : IDisposable
{
    private readonly TcpClient _client = new() { NoDelay = true };

    public static async Task<RawConnection> OpenAsync(MillraceServer server)
    {
        var connection = new RawConnection();
        var url = new Uri(server.Url);
        await connection._client.ConnectAsync(url.Host, url.Port, TestContext.Current.CancellationToken);
        return connection;
    }

    /// <summary>False when the server has closed it.</summary>
    public async Task<bool> TrySendAsync(string text)
    {
        try
        {
            await _client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(text), TestContext.Current.CancellationToken);
            return true;
        }
        catch (IOException) { return false; }
    }

    /// <summary>Reads until the server closes, or for so long; what came.</summary>
    public async Task<(string Text, bool Closed)> ReadAsync(int seconds = 30)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(seconds));
        var text = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            while (await _client.GetStream().ReadAsync(buffer, deadline.Token) is > 0 and var read)
                text.Append(Encoding.Latin1.GetString(buffer, 0, read));
            return (text.ToString(), true);
        }
        catch (IOException) { return (text.ToString(), true); }
        catch (OperationCanceledException) { return (text.ToString(), false); }
    }

    /// <summary>The status of the answer that comes next.</summary>
    public async Task<int> StatusAsync()
    {
        var buffer = new byte[12];
        await _client.GetStream().ReadExactlyAsync(buffer, TestContext.Current.CancellationToken);
        return int.Parse(Encoding.ASCII.GetString(buffer, 9, 3), System.Globalization.CultureInfo.InvariantCulture);
    }

    public void Dispose() => _client.Dispose();
}
