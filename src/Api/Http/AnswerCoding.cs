using System.IO.Compression;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Millrace.Api.Http;

/// <summary>Compression of an answer of <c>/infer</c>, and of nothing else: clients of the protocol decode only there, and only gzip and deflate.</summary>
internal static class AnswerCoding
{
    /// <summary>Up to here a body fits one packet as it is, and coding it costs both ends more than all else of the request (bench/README.md).</summary>
    private const int SmallBody = 1024;

    /// <summary>The coding that the client prefers among those we have; null for none, and for a small body.</summary>
    public static string? Choose(HttpRequest request, long bodyLength)
    {
        if (request.Headers.AcceptEncoding.Count == 0 || bodyLength <= SmallBody)
            return null;
        var offers = StringWithQualityHeaderValue.TryParseList(request.Headers.AcceptEncoding, out var parsed) ? parsed : [];
        var best = offers.Where(o => o.Quality is null or > 0).Where(o => o.Value.Value is "gzip" or "deflate" or "identity")
            .OrderByDescending(o => o.Quality ?? 1).Select(o => o.Value.Value).FirstOrDefault();
        return best == "identity" ? null : best;
    }

    /// <param name="parts">Of one body, in order.</param>
    public static ReadOnlyMemory<byte> Encode(IEnumerable<ReadOnlyMemory<byte>> parts, string coding)
    {
        var encoded = new MemoryStream();
        using (Stream stream = coding == "gzip" ? new GZipStream(encoded, CompressionLevel.Fastest, leaveOpen: true) : new ZLibStream(encoded, CompressionLevel.Fastest, leaveOpen: true))
        {
            foreach (var part in parts)
                stream.Write(part.Span);
        }
        return encoded.GetBuffer().AsMemory(0, (int)encoded.Length);
    }
}
