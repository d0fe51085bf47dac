using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Millrace.Api.Errors;
using Millrace.Storage.Jobs;
using Millrace.Storage.Replays;
using Millrace.Storage.Secrets;

namespace Millrace.Api.Jobs;

/// <summary>Cursors of lists: the last row's place, signed together with tenant, filters and order, so that it fits no other list.</summary>
internal sealed class JobCursors(ISecretStore secrets)
{
    private const int PlaceBytes = 8 + 16;
    private const int TagBytes = 16;
    private ReadOnlyMemory<byte>? _key;

    public async Task<string> WriteAsync(Job last, JobFilter filter, CancellationToken cancellation)
    {
        var cursor = new byte[PlaceBytes + TagBytes];
        BinaryPrimitives.WriteInt64BigEndian(cursor, last.CreatedAt.UtcTicks);
        last.Id.Value.TryWriteBytes(cursor.AsSpan(8), bigEndian: true, out _);
        (await TagAsync(cursor.AsMemory(0, PlaceBytes), filter, cancellation)).CopyTo(cursor.AsSpan(PlaceBytes));
        return Base64Url.EncodeToString(cursor);
    }

    /// <summary>For a list of groups: the place is the last one's time and its fingerprint.</summary>
    public async Task<string> WriteAsync(FailureGroup last, JobFilter filter, CancellationToken cancellation)
    {
        var place = new byte[8 + Encoding.UTF8.GetByteCount(last.Fingerprint)];
        BinaryPrimitives.WriteInt64BigEndian(place, last.LastSeen.UtcTicks);
        Encoding.UTF8.GetBytes(last.Fingerprint, place.AsSpan(8));
        return Base64Url.EncodeToString([.. place, .. await TagAsync(place, filter, cancellation)]);
    }

    /// <exception cref="RefusedException">400: it was not made by us for this list.</exception>
    public async Task<(DateTimeOffset LastSeen, string Fingerprint)> ReadGroupAsync(string text, JobFilter filter, CancellationToken cancellation)
    {
        if (!Base64Url.IsValid(text, out var length) || length < 8 + TagBytes)
            throw Invalid();
        var cursor = Base64Url.DecodeFromChars(text);
        var place = cursor.AsMemory(..^TagBytes);
        if (!CryptographicOperations.FixedTimeEquals(await TagAsync(place, filter, cancellation), cursor.AsSpan(^TagBytes..)))
            throw Invalid();
        return (new DateTimeOffset(BinaryPrimitives.ReadInt64BigEndian(place.Span), TimeSpan.Zero), Encoding.UTF8.GetString(place.Span[8..]));
    }

    /// <exception cref="RefusedException">400: it was not made by us for this list.</exception>
    public async Task<(DateTimeOffset, JobId)> ReadAsync(string text, JobFilter filter, CancellationToken cancellation)
    {
        var cursor = new byte[PlaceBytes + TagBytes];
        if (!Base64Url.IsValid(text, out var length) || length != cursor.Length || !Base64Url.TryDecodeFromChars(text, cursor, out _))
            throw Invalid();
        var tag = await TagAsync(cursor.AsMemory(0, PlaceBytes), filter, cancellation);
        if (!CryptographicOperations.FixedTimeEquals(tag, cursor.AsSpan(PlaceBytes)))
            throw Invalid();
        return (new DateTimeOffset(BinaryPrimitives.ReadInt64BigEndian(cursor), TimeSpan.Zero), new JobId(new Guid(cursor.AsSpan(8, 16), bigEndian: true)));
    }

    private async Task<byte[]> TagAsync(ReadOnlyMemory<byte> place, JobFilter filter, CancellationToken cancellation)
    {
        _key ??= await secrets.ReadOrCreateAsync("cursor", cancellation);
        byte[] text = [.. place.Span, .. Encoding.UTF8.GetBytes(Describe(filter))];
        return HMACSHA256.HashData(_key.Value.Span, text)[..TagBytes];
    }

    /// <summary>All of the filter but its limit, which may change from page to page.</summary>
    private static string Describe(JobFilter f) => string.Join('\n',
        f.Tenant, string.Join(',', f.States), f.Model, f.Priority, f.CreatedAfter?.UtcTicks, f.CreatedBefore?.UtcTicks, f.ReplayOf, f.Fingerprint, f.Ascending,
        string.Join('\n', f.Metadata.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => $"{m.Key.Length}:{m.Key}={m.Value}")));

    private static RefusedException Invalid() =>
        new(ErrorCode.InvalidCursor, "The cursor is not one of this list: it was changed, or the filters or the order are others. Start again without it.");
}
