using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Millrace.Api.Http;

/// <summary>Compression of an answer of <c>/infer</c>, and of nothing else: clients of the protocol decode only there, and only gzip and deflate.</summary>
internal static class AnswerCoding
{
    /// <summary>Up to here a body fits one packet as it is, and setting up the compressor would cost more than all else of the request.</summary>
    private const int SmallBody = 1024;

    /// <summary>The coding that the client prefers among those we have; null for none.</summary>
    public static string? Choose(HttpRequest request)
    {
        if (request.Headers.AcceptEncoding.Count == 0)
            return null;
        var offers = StringWithQualityHeaderValue.TryParseList(request.Headers.AcceptEncoding, out var parsed) ? parsed : [];
        var best = offers.Where(o => o.Quality is null or > 0).Where(o => o.Value.Value is "gzip" or "deflate" or "identity")
            .OrderByDescending(o => o.Quality ?? 1).Select(o => o.Value.Value).FirstOrDefault();
        return best == "identity" ? null : best;
    }

    public static ReadOnlyMemory<byte> Encode(ReadOnlyMemory<byte> body, string coding)
    {
        if (coding == "gzip" && body.Length <= SmallBody)
            return StoreGzip(body.Span);
        var encoded = new MemoryStream();
        using (Stream stream = coding == "gzip" ? new GZipStream(encoded, CompressionLevel.Fastest) : new ZLibStream(encoded, CompressionLevel.Fastest))
            stream.Write(body.Span);
        return encoded.ToArray();
    }

    /// <summary>A gzip member with one stored block.</summary>
    /// <remarks>Source: RFC 1952 §2.3 (header, CRC-32, length), RFC 1951 §3.2.4 (final stored block: 1, length, its complement).</remarks>
    private static byte[] StoreGzip(ReadOnlySpan<byte> body)
    {
        ReadOnlySpan<byte> header = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF, 1];
        var encoded = new byte[header.Length + 4 + body.Length + 8];
        header.CopyTo(encoded);
        BinaryPrimitives.WriteUInt16LittleEndian(encoded.AsSpan(header.Length), (ushort)body.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(encoded.AsSpan(header.Length + 2), (ushort)~body.Length);
        body.CopyTo(encoded.AsSpan(header.Length + 4));
        BinaryPrimitives.WriteUInt32LittleEndian(encoded.AsSpan(^8), Crc32.HashToUInt32(body));
        BinaryPrimitives.WriteUInt32LittleEndian(encoded.AsSpan(^4), (uint)body.Length);
        return encoded;
    }
}
