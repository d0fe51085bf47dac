using System.Buffers.Text;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Millrace.Bench;

namespace Millrace.Engine;

/// <summary>Clients that send the same bytes again as soon as the answer is there, over a socket each: what they cost the machine is as little as can be.</summary>
internal static class Clients
{
    /// <param name="request">Head and body, ready to send.</param>
    /// <returns>Answers, all of them 200 or 202.</returns>
    public static async Task<long> LoadAsync(byte[] request, int clients, TimeSpan time)
    {
        var began = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => Task.Run(() => LoopAsync(request, () => Stopwatch.GetElapsedTime(began) < time))));
        return counts.Sum();
    }

    public static byte[] Post(string path, ReadOnlySpan<byte> body, string headers)
    {
        var head = $"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {body.Length}\r\n{headers}\r\n";
        return [.. Encoding.ASCII.GetBytes(head), .. body];
    }

    private static async Task<long> LoopAsync(byte[] request, Func<bool> goOn)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync("127.0.0.1", Server.Port);
        var buffer = new byte[256 << 10];
        long done = 0;
        while (goOn())
        {
            for (var sent = 0; sent < request.Length;)
                sent += await socket.SendAsync(request.AsMemory(sent));
            await ReceiveAsync(socket, buffer);
            done++;
        }
        return done;
    }

    private static async Task ReceiveAsync(Socket socket, byte[] buffer)
    {
        var (have, head) = (0, -1);
        while (head < 0)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(have));
            if (read == 0)
                throw new IOException("The server closed the connection.");
            have += read;
            head = buffer.AsSpan(0, have).IndexOf("\r\n\r\n"u8);
        }
        if (!buffer.AsSpan(0, have).StartsWith("HTTP/1.1 20"u8))
            throw new InvalidOperationException(Encoding.UTF8.GetString(buffer.AsSpan(0, Math.Min(have, 1000))));
        for (var left = Length(buffer.AsSpan(0, head)) - (have - head - 4); left > 0;)
        {
            var read = await socket.ReceiveAsync(buffer);
            if (read == 0)
                throw new IOException("The server closed the connection.");
            left -= read;
        }
    }

    private static long Length(ReadOnlySpan<byte> head)
    {
        var field = "Content-Length: "u8;
        var at = head.IndexOf(field) + field.Length;
        return Utf8Parser.TryParse(head[at..], out long length, out _) ? length : throw new InvalidOperationException("The answer has no length.");
    }
}
