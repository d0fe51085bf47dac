namespace Millrace.Api.Http;

/// <summary>How the API listens, and what it takes.</summary>
public sealed class HttpOptions
{
    /// <summary>Address to listen on. Default <c>http://127.0.0.1:8080</c>; port 0 takes a free one.</summary>
    public string Url { get; set; } = "http://127.0.0.1:8080";

    /// <summary>Listen on other than loopback addresses although anybody who reaches them may then use the server. Default false.</summary>
    public bool AllowOpen { get; set; }

    /// <summary>Largest body, after its content coding is undone. Default 64 MiB; 1 KiB to 512 MiB.</summary>
    public long MaxBodyBytes { get; set; } = 64 << 20;
}
