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
}
