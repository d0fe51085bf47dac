using System.Net;

namespace Millrace.Hosting.Startup;

/// <summary>An address to listen on, as settings have it.</summary>
public static class ListenAddress
{
    public static bool IsValid(string address) => TryParse(address, out _);

    public static bool IsLoopback(string address) => TryParse(address, out var url) && url.IsLoopback;

    /// <exception cref="FormatException">It is no address of ours; validation at start says so before.</exception>
    public static IPEndPoint Parse(string address)
    {
        if (!TryParse(address, out var url))
            throw new FormatException($"'{address}' is not an address like http://127.0.0.1:8080.");
        var ip = url.IdnHost switch
        {
            "localhost" => IPAddress.Loopback,
            var host => IPAddress.Parse(host.Trim('[', ']')),
        };
        return new IPEndPoint(ip, url.Port);
    }

    private static bool TryParse(string address, out Uri url) =>
        Uri.TryCreate(address, UriKind.Absolute, out url!) && url.Scheme == Uri.UriSchemeHttp && url.AbsolutePath == "/"
        && (url.IdnHost == "localhost" || IPAddress.TryParse(url.IdnHost.Trim('[', ']'), out _));
}
