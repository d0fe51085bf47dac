using System.IO.Compression;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Millrace.Api.Http;

/// <summary>Compression of an answer of <c>/infer</c>, and of nothing else: clients of the protocol decode only there, and only gzip and deflate.</summary>
internal static class AnswerCoding
{
    /// <summary>The coding that the client prefers among those we have; null for none.</summary>
    public static string? Choose(HttpRequest request)
    {
        if (request.Headers.AcceptEncoding.Count == 0)
            return null;
        var offers = StringWithQualityHeaderValue.TryParseList(request.Headers.AcceptEncoding, out var parsed) ? parsed : [];
        return offers.Where(o => o.Quality is null or > 0).Where(o => o.Value.Value is "gzip" or "deflate")
            .OrderByDescending(o => o.Quality ?? 1).Select(o => o.Value.Value).FirstOrDefault();
    }

    public static ReadOnlyMemory<byte> Encode(ReadOnlyMemory<byte> body, string coding)
    {
        var encoded = new MemoryStream();
        using (Stream stream = coding == "gzip" ? new GZipStream(encoded, CompressionLevel.Fastest) : new ZLibStream(encoded, CompressionLevel.Fastest))
            stream.Write(body.Span);
        return encoded.ToArray();
    }
}
