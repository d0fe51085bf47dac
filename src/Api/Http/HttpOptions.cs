using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.HttpOverrides;
using IPNetwork = System.Net.IPNetwork;

namespace Millrace.Api.Http;

/// <summary>How the API listens, and what it takes.</summary>
public sealed class HttpOptions
{
    /// <summary>Address to listen on: <c>http://</c> and an IP address or <c>localhost</c>, which means 127.0.0.1. Port 0 takes a free one. On other than loopback addresses there must be a key or an issuer.</summary>
    public string Url { get; set; } = "http://127.0.0.1:8080";

    /// <summary>Let everybody in without a key also where other machines can call, as long as there is no key and no issuer.</summary>
    public bool AllowOpen { get; set; }

    /// <summary>Bytes of the largest body, after its content coding is undone; larger ones get 413. 1,024 to 536,870,912.</summary>
    public long MaxBodyBytes { get; set; } = 64 << 20;

    /// <summary>Addresses and networks (as <c>10.0.0.0/8</c>) of proxies in front, by commas: from them, and from them alone, <c>X-Forwarded-For</c> and <c>X-Forwarded-Proto</c> count.</summary>
    public string TrustedProxies { get; set; } = "";

    internal IReadOnlyList<IPNetwork> Proxies => _proxies ??= Networks(TrustedProxies);

    private IReadOnlyList<IPNetwork>? _proxies;

    /// <summary>From the right, as far as the addresses are trusted: the first other one is who called.</summary>
    internal void Apply(ForwardedHeadersOptions forwarded)
    {
        forwarded.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto;
        forwarded.ForwardLimit = null;
        forwarded.KnownProxies.Clear();
        forwarded.KnownIPNetworks.Clear(); // loopback is among the defaults
        foreach (var proxy in Proxies)
            forwarded.KnownIPNetworks.Add(proxy);
    }

    internal static bool AreNetworks(string text)
    {
        try { return Networks(text) is not null; }
        catch (FormatException) { return false; }
    }

    private static IPNetwork[] Networks(string text) => text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Parse).ToArray();

    private static IPNetwork Parse(string text)
    {
        if (text.Contains('/', StringComparison.Ordinal))
            return IPNetwork.Parse(text);
        var address = IPAddress.Parse(text);
        return new IPNetwork(address, address.GetAddressBytes().Length * 8);
    }
}
