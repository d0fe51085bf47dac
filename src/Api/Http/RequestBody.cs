using System.Buffers;
using System.IO.Compression;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Api.Errors;
using Millrace.Api.Limits;

namespace Millrace.Api.Http;

/// <summary>A request's body in one rented piece of memory, its content coding undone.</summary>
internal readonly struct RequestBody : IDisposable
{
    private const int FirstBuffer = 16 << 10;
    private const int FirstBufferMost = 2 << 20;
    private readonly byte[] _buffer;
    private readonly InFlight _inFlight;

    private RequestBody(byte[] buffer, int length, InFlight inFlight) => (_buffer, Bytes, _inFlight) = (buffer, buffer.AsMemory(0, length), inFlight);

    public ReadOnlyMemory<byte> Bytes { get; }

    /// <exception cref="RefusedException">It is too large, or in a coding that is not known or not kept to.</exception>
    public static async Task<RequestBody> ReadAsync(HttpContext context, long limit)
    {
        var inFlight = context.RequestServices.GetRequiredService<InFlight>();
        if (context.Request.ContentLength > limit)
            throw TooLarge(limit);
        var coding = context.Request.Headers.ContentEncoding.ToString();
        if (coding.Length == 0 || coding.Equals("identity", StringComparison.OrdinalIgnoreCase))
            return await ReadAsync(context.Request.Body, context.Request.ContentLength, limit, inFlight, context.RequestAborted);
        await using var decoded = Decode(context.Request.Body, coding);
        try { return await ReadAsync(decoded, null, limit, inFlight, context.RequestAborted); }
        catch (InvalidDataException)
        {
            throw new RefusedException(ErrorCode.InvalidRequest, $"The body is not valid {coding}.");
        }
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _inFlight.Release(_buffer.Length);
    }

    private static Stream Decode(Stream body, string coding)
    {
        if (coding.Equals("gzip", StringComparison.OrdinalIgnoreCase))
            return new GZipStream(body, CompressionMode.Decompress);
        if (coding.Equals("deflate", StringComparison.OrdinalIgnoreCase))
            return new ZLibStream(body, CompressionMode.Decompress); // RFC 9110 §8.4.1.2: "deflate" is the zlib wrapper
        throw new RefusedException(new Refusal(ErrorCode.UnsupportedEncoding, "Content-Encoding must be gzip, deflate or identity, and one of them only.")
        {
            AcceptEncoding = "gzip, deflate, identity",
        });
    }

    private static async Task<RequestBody> ReadAsync(Stream body, long? announced, long limit, InFlight inFlight, CancellationToken cancellation)
    {
        var buffer = Rent((int)Math.Clamp(announced + 1 ?? FirstBuffer, 1, FirstBufferMost), inFlight); // what is announced need not come
        var length = 0;
        try
        {
            while (await body.ReadAsync(buffer.AsMemory(length), cancellation) is > 0 and var read)
            {
                length += read;
                if (length > limit)
                    throw TooLarge(limit);
                if (length == buffer.Length)
                    buffer = Grow(buffer, announced, inFlight);
            }
            return new RequestBody(buffer, length, inFlight);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            inFlight.Release(buffer.Length);
            throw;
        }
    }

    /// <summary>Reserved by its real size before it is used.</summary>
    private static byte[] Rent(int bytes, InFlight inFlight)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(bytes);
        try { inFlight.Reserve(buffer.Length); }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }
        return buffer;
    }

    /// <summary>Twice as much; where more was announced, up to eight times, since so much has come.</summary>
    private static byte[] Grow(byte[] buffer, long? announced, InFlight inFlight)
    {
        var larger = Rent(checked((int)Math.Clamp(announced + 1 ?? 0, 2L * buffer.Length, 8L * buffer.Length)), inFlight);
        buffer.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(buffer);
        inFlight.Release(buffer.Length);
        return larger;
    }

    private static RefusedException TooLarge(long limit) =>
        new(ErrorCode.PayloadTooLarge, $"The body is larger than {limit} bytes (after its content coding is undone).");
}
