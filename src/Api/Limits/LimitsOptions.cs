using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Millrace.Api.Limits;

/// <summary>What one replica takes at once, and how large it may be.</summary>
public sealed class LimitsOptions
{
    /// <summary>Requests in work at once in this replica; more get 503 <c>overloaded</c> at once. Waits for a job's end are counted apart. 1 to 100,000.</summary>
    public int MaxRequests { get; set; } = 200;

    /// <summary>Requests at once that wait for a job's end (<c>?wait=</c>, <c>Prefer: wait</c>); more get 503 <c>overloaded</c>. 1 to 1,000,000.</summary>
    public int MaxWaits { get; set; } = 5000;

    /// <summary>Bytes of all bodies in memory at once; what passes it gets 503 <c>overloaded</c>. While it is read, a body takes up to three times its size, so keep this well above <c>Millrace:Http:MaxBodyBytes</c>. 1,048,576 to 1,099,511,627,776.</summary>
    public long MaxBodyMemory { get; set; } = 512 << 20;

    /// <summary>Connections at once; more are closed. 1 to 1,000,000.</summary>
    public int MaxConnections { get; set; } = 10_000;

    /// <summary>Connections at once of one address (IPv6: one /64) that is not a trusted proxy and not this machine; more are closed. 1 to 1,000,000.</summary>
    public int MaxConnectionsPerAddress { get; set; } = 1000;

    /// <summary>How long the head of a request may take. 1 s to 1 min.</summary>
    public TimeSpan HeaderTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a connection without a request is kept; longer than a gateway in front keeps its own (60 s), so that the gateway is who closes. 1 s to 10 min.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromSeconds(65);

    /// <summary>Least bytes a second at which a body must come and an answer be taken, after 5 s; slower connections are cut. 0 to 1,048,576; 0: any.</summary>
    public int MinBytesPerSecond { get; set; } = 240;

    /// <summary>Bytes of all header fields of a request; more get 431. 4,096 to 1,048,576.</summary>
    public int MaxHeaderBytes { get; set; } = 32 << 10;

    /// <summary>Bytes of a request line; more get 414. 256 to 65,536.</summary>
    public int MaxRequestLineBytes { get; set; } = 8 << 10;

    /// <summary>Nesting of JSON; deeper bodies get 400. 8 to 100.</summary>
    public int MaxJsonDepth { get; set; } = 100;

    /// <summary>Inputs of a request, and outputs that it may ask for. 1 to 10,000.</summary>
    public int MaxTensors { get; set; } = 64;

    /// <summary>Elements of one tensor. 1 to 2,147,483,591.</summary>
    public long MaxElements { get; set; } = 1 << 24;

    internal void Apply(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        var limits = kestrel.Limits;
        limits.MaxRequestBodySize = null; // RequestBody counts, also what is compressed; the server would count a chunked body's framing too
        limits.MaxConcurrentConnections = MaxConnections;
        limits.RequestHeadersTimeout = HeaderTimeout;
        limits.KeepAliveTimeout = IdleTimeout;
        limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
        limits.MaxRequestLineSize = MaxRequestLineBytes;
        limits.Http2.MaxStreamsPerConnection = MaxRequests; // a client of gRPC has one connection; what it sends beyond that waits with it
        limits.MinRequestBodyDataRate = limits.MinResponseDataRate = MinBytesPerSecond > 0 ? new MinDataRate(MinBytesPerSecond, TimeSpan.FromSeconds(5)) : null;
    }
}
