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
    private const int TimeBytes = 8;
    private const int TagBytes = 16;
    private const string Jobs = "jobs";
    private const string Failures = "failures";
    private ReadOnlyMemory<byte>? _key;

    /// <summary>For the list of jobs: the last one's time and id.</summary>
    public Task<string> WriteAsync(Job last, JobFilter filter, CancellationToken cancellation) =>
        WriteAsync(Jobs, last.CreatedAt, last.Id.Value.ToByteArray(bigEndian: true), filter, cancellation);

    /// <exception cref="RefusedException">400: it was not made by us for this list.</exception>
    public async Task<(DateTimeOffset, JobId)> ReadAsync(string text, JobFilter filter, CancellationToken cancellation)
    {
        var (time, id) = await ReadAsync(Jobs, text, filter, cancellation);
        return (time, new JobId(new Guid(id.Span, bigEndian: true)));
    }

    /// <summary>For the list of failures: the last group's time and fingerprint.</summary>
    public Task<string> WriteAsync(FailureGroup last, JobFilter filter, CancellationToken cancellation) =>
        WriteAsync(Failures, last.LastSeen, Encoding.UTF8.GetBytes(last.Fingerprint), filter, cancellation);

    /// <exception cref="RefusedException">400: it was not made by us for this list.</exception>
    public async Task<(DateTimeOffset LastSeen, string Fingerprint)> ReadGroupAsync(string text, JobFilter filter, CancellationToken cancellation)
    {
        var (time, fingerprint) = await ReadAsync(Failures, text, filter, cancellation);
        return (time, Encoding.UTF8.GetString(fingerprint.Span));
    }

    private async Task<string> WriteAsync(string list, DateTimeOffset time, byte[] name, JobFilter filter, CancellationToken cancellation)
    {
        var place = new byte[TimeBytes + name.Length];
        BinaryPrimitives.WriteInt64BigEndian(place, time.UtcTicks);
        name.CopyTo(place, TimeBytes);
        return Base64Url.EncodeToString([.. place, .. await TagAsync(list, place, filter, cancellation)]);
    }

    private async Task<(DateTimeOffset Time, ReadOnlyMemory<byte> Name)> ReadAsync(string list, string text, JobFilter filter, CancellationToken cancellation)
    {
        if (!Base64Url.IsValid(text, out var length) || length < TimeBytes + TagBytes)
            throw Invalid();
        var cursor = Base64Url.DecodeFromChars(text);
        var place = cursor.AsMemory(..^TagBytes);
        if (!CryptographicOperations.FixedTimeEquals(await TagAsync(list, place, filter, cancellation), cursor.AsSpan(^TagBytes..)))
            throw Invalid();
        return (new DateTimeOffset(BinaryPrimitives.ReadInt64BigEndian(place.Span), TimeSpan.Zero), place[TimeBytes..]);
    }

    private async Task<byte[]> TagAsync(string list, ReadOnlyMemory<byte> place, JobFilter filter, CancellationToken cancellation)
    {
        _key ??= await secrets.ReadOrCreateAsync("cursor", cancellation);
        byte[] text = [.. Encoding.UTF8.GetBytes($"{list}\n{Convert.ToHexString(place.Span)}\n{Describe(filter)}")];
        return HMACSHA256.HashData(_key.Value.Span, text)[..TagBytes];
    }

    /// <summary>All of the filter but its limit, which may change from page to page.</summary>
    private static string Describe(JobFilter f) => string.Join('\n',
        f.Tenant, string.Join(',', f.States), f.Model, f.Priority, f.CreatedAfter?.UtcTicks, f.CreatedBefore?.UtcTicks, f.ReplayOf, f.Fingerprint, f.Ascending,
        string.Join('\n', f.Metadata.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => $"{m.Key.Length}:{m.Key}={m.Value}")));

    private static RefusedException Invalid() =>
        new(ErrorCode.InvalidCursor, "The cursor is not one of this list: it was changed, or the filters or the order are others. Start again without it.");
}
