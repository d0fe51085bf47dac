using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace Millrace.Api.Inference;

/// <summary>How one element is read from JSON into its little-endian bytes.</summary>
internal interface ITensorElement
{
    static abstract int Size { get; }

    /// <summary>What the datatype takes, for the error.</summary>
    static abstract string Takes { get; }

    static abstract bool TryRead(ref Utf8JsonReader json, Span<byte> target);

    /// <summary>Writes <paramref name="digits"/> / 10^<paramref name="fraction"/>, exactly as <see cref="TryRead"/> would; false when it can't tell.</summary>
    static abstract bool TryWrite(bool isNegative, ulong digits, int fraction, Span<byte> target);
}

internal readonly struct IntegerElement<T> : ITensorElement where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
{
    public static int Size { get; } = T.Zero.GetByteCount();
    public static string Takes { get; } = $"a whole number from {T.MinValue} to {T.MaxValue}";

    public static bool TryRead(ref Utf8JsonReader json, Span<byte> target)
    {
        if (json.TokenType != JsonTokenType.Number || !T.TryParse(json.ValueSpan, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
            return false;
        value.WriteLittleEndian(target);
        return true;
    }

    public static bool TryWrite(bool isNegative, ulong digits, int fraction, Span<byte> target)
    {
        if (fraction > 0 || digits > (ulong)long.MaxValue)
            return false;
        var value = isNegative ? -(long)digits : (long)digits;
        if (long.CreateSaturating(T.MinValue) > value || long.CreateSaturating(T.MaxValue) < value)
            return false;
        T.CreateTruncating(value).WriteLittleEndian(target);
        return true;
    }
}

internal readonly struct BoolElement : ITensorElement
{
    public static int Size => 1;
    public static string Takes => "true or false";

    public static bool TryRead(ref Utf8JsonReader json, Span<byte> target)
    {
        target[0] = json.TokenType == JsonTokenType.True ? (byte)1 : (byte)0;
        return json.TokenType is JsonTokenType.True or JsonTokenType.False;
    }

    public static bool TryWrite(bool isNegative, ulong digits, int fraction, Span<byte> target) => false;
}

internal readonly struct Fp32Element : ITensorElement
{
    public static int Size => 4;
    public static string Takes => "a number within FP32's range";

    public static bool TryRead(ref Utf8JsonReader json, Span<byte> target)
    {
        if (json.TokenType != JsonTokenType.Number || !json.TryGetSingle(out var value) || !float.IsFinite(value))
            return false;
        BinaryPrimitives.WriteSingleLittleEndian(target, value);
        return true;
    }

    /// <summary>By way of FP64: rounded twice, which differs from once only where the first rounding ends halfway between two of FP32, or below its normal range.</summary>
    public static bool TryWrite(bool isNegative, ulong digits, int fraction, Span<byte> target)
    {
        if (!Decimals.TryDivide(digits, fraction, out var value) || value > float.MaxValue || (value < SmallestNormal && value != 0))
            return false;
        if ((BitConverter.DoubleToUInt64Bits(value) & DroppedBits) == Halfway)
            return false;
        BinaryPrimitives.WriteSingleLittleEndian(target, (float)(isNegative ? -value : value));
        return true;
    }

    private const double SmallestNormal = 1.17549435E-38;
    private const ulong DroppedBits = (1UL << 29) - 1;
    private const ulong Halfway = 1UL << 28;
}

internal readonly struct Fp64Element : ITensorElement
{
    public static int Size => 8;
    public static string Takes => "a number within FP64's range";

    public static bool TryRead(ref Utf8JsonReader json, Span<byte> target)
    {
        if (json.TokenType != JsonTokenType.Number || !json.TryGetDouble(out var value) || !double.IsFinite(value))
            return false;
        BinaryPrimitives.WriteDoubleLittleEndian(target, value);
        return true;
    }

    public static bool TryWrite(bool isNegative, ulong digits, int fraction, Span<byte> target)
    {
        if (!Decimals.TryDivide(digits, fraction, out var value))
            return false;
        BinaryPrimitives.WriteDoubleLittleEndian(target, isNegative ? -value : value);
        return true;
    }
}

/// <summary>Decimal numbers of which both parts are exact in FP64, so that one division rounds right.</summary>
/// <remarks>Source: W. D. Clinger, How to read floating point numbers accurately (1990), the case that needs no more.</remarks>
internal static class Decimals
{
    private const ulong LargestExact = 1UL << 53;
    private static readonly double[] Powers = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19];

    public static bool TryDivide(ulong digits, int fraction, out double value)
    {
        value = digits / Powers[fraction];
        return digits <= LargestExact;
    }
}
