using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Millrace.Storage.Jobs;

/// <summary>A job's name: <c>job_</c> and a UUIDv7 in 26 letters of Crockford's base32, so that ids sort by time of birth.</summary>
/// <remarks>Source: RFC 9562 §5.7, with the fraction of the millisecond in rand_a (§6.2, method 3); 62 random bits follow.</remarks>
public readonly record struct JobId(Guid Value)
{
    private const string Prefix = "job_";
    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    private const int Letters = 26;

    /// <summary>After every other.</summary>
    public static JobId Last { get; } = new(new Guid("ffffffff-ffff-ffff-ffff-ffffffffffff"));

    public static JobId New(DateTimeOffset now)
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        BinaryPrimitives.WriteInt64BigEndian(bytes, now.ToUnixTimeMilliseconds() << 16);
        var fraction = (int)(now.Ticks % TimeSpan.TicksPerMillisecond * 4096 / TimeSpan.TicksPerMillisecond);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[6..], (ushort)(0x7000 | fraction));
        bytes[8] = (byte)(0x80 | (bytes[8] & 0x3F));
        return new JobId(new Guid(bytes, bigEndian: true));
    }

    /// <summary>Reads the form that <see cref="ToString()"/> writes; letters in either case.</summary>
    public static bool TryParse(string? text, out JobId id) => TryParse(text, Prefix, out id);

    /// <summary>The same for other things that have ids of this form.</summary>
    public static bool TryParse(string? text, string prefix, out JobId id)
    {
        id = default;
        if (text is null || text.Length != prefix.Length + Letters || !text.StartsWith(prefix, StringComparison.Ordinal))
            return false;
        UInt128 value = 0;
        foreach (var letter in text.AsSpan(prefix.Length))
        {
            var digit = Alphabet.IndexOf(char.ToUpperInvariant(letter), StringComparison.Ordinal);
            if (digit < 0 || value >> 123 != 0)
                return false;
            value = (value << 5) | (uint)digit;
        }
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        id = new JobId(new Guid(bytes, bigEndian: true));
        return true;
    }

    public override string ToString() => ToString(Prefix);

    public string ToString(string prefix)
    {
        Span<byte> bytes = stackalloc byte[16];
        Value.TryWriteBytes(bytes, bigEndian: true, out _);
        return string.Create(prefix.Length + Letters, (prefix, BinaryPrimitives.ReadUInt128BigEndian(bytes)), static (text, parts) =>
        {
            var (prefix, rest) = parts;
            prefix.CopyTo(text);
            for (var at = text.Length - 1; at >= prefix.Length; at--, rest >>= 5)
                text[at] = Alphabet[(int)(rest & 31)];
        });
    }
}
