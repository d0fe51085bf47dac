using System.Net;

namespace Millrace.Api.Http;

/// <summary>The address to listen on, as its setting has it.</summary>
public static class ListenAddress
{
    public static bool IsValid(HttpOptions options) => TryParse(options, out _);

    public static bool IsLoopback(HttpOptions options) => TryParse(options, out var url) && url.IsLoopback;

    /// <exception cref="FormatException">It is no address of ours; validation at start says so before.</exception>
    public static IPEndPoint Parse(HttpOptions options)
    {
        if (!TryParse(options, out var url))
            throw new FormatException($"'{options.Url}' is not an address like http://127.0.0.1:8080.");
        var address = url.IdnHost switch
        {
            "localhost" => IPAddress.Loopback,
            var host => IPAddress.Parse(host.Trim('[', ']')),
        };
        return new IPEndPoint(address, url.Port);
    }

    private static bool TryParse(HttpOptions options, out Uri url) =>
        Uri.TryCreate(options.Url, UriKind.Absolute, out url!) && url.Scheme == Uri.UriSchemeHttp && url.AbsolutePath == "/"
        && (url.IdnHost == "localhost" || IPAddress.TryParse(url.IdnHost.Trim('[', ']'), out _));
}
