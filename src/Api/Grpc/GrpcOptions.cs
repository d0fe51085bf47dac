namespace Millrace.Api.Grpc;

/// <summary>Where calls of gRPC come in.</summary>
public sealed class GrpcOptions
{
    /// <summary>Address to listen on for gRPC, which is HTTP/2 without TLS: <c>http://</c> and an IP address or <c>localhost</c>. Port 0 takes a free one. On other than loopback addresses the rules of <c>Millrace:Http:Url</c> hold here too. Empty: no gRPC.</summary>
    public string Url { get; set; } = "http://127.0.0.1:8001";
}
