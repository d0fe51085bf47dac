using System.Buffers.Binary;
using System.Text;
using Millrace.Conformance.Tests.Table;
using Millrace.Hosting.Inference;

namespace Millrace.Conformance.Tests.Cases;

/// <summary>The elements of an input, in the protocol's binary form.</summary>
internal static class Values
{
    /// <summary>Inputs that are places, counts or sizes: any other number would be an error, or take all memory there is.</summary>
    private static readonly Dictionary<string, (int Least, int Most)> Bounds = new()
    {
        ["gather/IN"] = (-10, 9),
        ["gather_nd/AT"] = (-4, 3),
        ["scatter_nd/AT"] = (0, 5),
        ["grid_sample/GRID"] = (-2, 2),
        ["divide/B"] = (1, 9),
        ["loop/TURNS"] = (0, 5),
        ["range/FROM"] = (-5, 5),
        ["range/TO"] = (-5, 20),
        ["range/STEP"] = (1, 3),
        ["tile/TIMES"] = (0, 3),
    };

    /// <summary>What the text models know, and what trips parsers.</summary>
    private static readonly string[] Words =
        ["cat", "dog", "x", "y", "the", "a", "abc12", "ABC", "", " ", "😀", "größe", "line\nand\ttab", "\"quoted\" \\ /", "\u0001", "null", "</script>", new('ü', 150)];

    private static readonly byte[][] NotText = [[0x00, 0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0x80, 0x80], "fine"u8.ToArray()];

    private static readonly double[] FloatEdges = [0d, -0d, 1d / 3, -1e-20, 16777217d, 65504d, -65504d, 1e-7];
    private static readonly float[] SingleEdges = [float.Epsilon, -float.Epsilon, 1.17549435e-38f, float.MaxValue, float.MinValue, 1e-45f];
    private static readonly double[] DoubleEdges = [double.Epsilon, 1e-310, double.MaxValue, double.MinValue, 9007199254740993d];

    public static byte[] Make(string model, OpenTensor input, long count, Flavour flavour, Random random)
    {
        if (Bounds.TryGetValue($"{model}/{input.Name}", out var bounds))
            return Join(count, input.Datatype, () => Whole(input.Datatype, random.Next(bounds.Least, bounds.Most + 1)));
        if (input.Datatype == Datatype.Bytes)
            return Elements.Join(Times(count, () => Text(flavour, random)));
        return Join(count, input.Datatype, () => flavour == Flavour.Ordinary ? Ordinary(input.Datatype, random) : Extreme(input.Datatype, flavour, random));
    }

    private static byte[] Text(Flavour flavour, Random random) =>
        flavour == Flavour.Unsayable ? Pick(NotText, random) : Encoding.UTF8.GetBytes(Pick(Words, random));

    private static byte[] Ordinary(Datatype datatype, Random random) => datatype switch
    {
        Datatype.Bool => [(byte)random.Next(2)],
        Datatype.Fp16 or Datatype.Bf16 or Datatype.Fp32 or Datatype.Fp64 => Float(datatype, (random.NextDouble() * 8) - 4),
        _ => Whole(datatype, random.Next(datatype is Datatype.Uint8 or Datatype.Uint16 or Datatype.Uint32 or Datatype.Uint64 ? 0 : -100, 101)),
    };

    private static byte[] Extreme(Datatype datatype, Flavour flavour, Random random) => datatype switch
    {
        Datatype.Bool => [(byte)random.Next(2)],
        Datatype.Fp16 => flavour == Flavour.Unsayable ? Bits(Pick<ushort>([0x7e00, 0xfe01, 0x7c00, 0xfc00, 0x7d01], random)) : Bits(Pick<ushort>([0, 0x8000, 1, 0x03ff, 0x0400, 0x7bff, 0xfbff], random)),
        Datatype.Bf16 => flavour == Flavour.Unsayable ? Bits(Pick<ushort>([0x7fc0, 0xffc1, 0x7f80, 0xff80, 0x7f81], random)) : Bits(Pick<ushort>([0, 0x8000, 1, 0x0080, 0x7f7f, 0xff7f], random)),
        Datatype.Fp32 => flavour == Flavour.Unsayable
            ? BitConverter.GetBytes(Pick<uint>([0x7fc00000, 0xffc12345, 0x7f800000, 0xff800000, 0x7f800001, 0x3f800000], random))
            : BitConverter.GetBytes(Pick([.. FloatEdges.Select(e => (float)e), .. SingleEdges], random)),
        Datatype.Fp64 => flavour == Flavour.Unsayable
            ? BitConverter.GetBytes(Pick<ulong>([0x7ff8000000000000, 0xfff8000000012345, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff0000000000001], random))
            : BitConverter.GetBytes(Pick([.. FloatEdges, .. DoubleEdges], random)),
        _ => End(datatype, random),
    };

    /// <summary>The least, the most, and what lies around a sign's or a double's end.</summary>
    private static byte[] End(Datatype datatype, Random random)
    {
        var bytes = new byte[datatype.ElementSize()];
        switch (random.Next(5))
        {
            case 0: break;
            case 1: Array.Fill(bytes, (byte)0xff); break;
            case 2: bytes[^1] = 0x80; break;
            case 3:
                Array.Fill(bytes, (byte)0xff);
                bytes[^1] = 0x7f;
                break;
            default: random.NextBytes(bytes); break;
        }
        return bytes;
    }

    private static byte[] Float(Datatype datatype, double value) => datatype switch
    {
        Datatype.Fp16 => Bits(BitConverter.HalfToUInt16Bits((Half)value)),
        Datatype.Bf16 => Bits((ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16)),
        Datatype.Fp32 => BitConverter.GetBytes((float)value),
        _ => BitConverter.GetBytes(value),
    };

    private static byte[] Whole(Datatype datatype, long value)
    {
        if (datatype is Datatype.Fp32 or Datatype.Fp64)
            return Float(datatype, value * 0.75);
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return bytes[..datatype.ElementSize()];
    }

    private static byte[] Bits(ushort bits) => BitConverter.GetBytes(bits);

    private static byte[] Join(long count, Datatype datatype, Func<byte[]> element)
    {
        var all = new byte[checked((int)count * datatype.ElementSize())];
        for (var at = 0; at < all.Length; at += datatype.ElementSize())
            element().CopyTo(all, at);
        return all;
    }

    private static IEnumerable<byte[]> Times(long count, Func<byte[]> element)
    {
        for (; count > 0; count--)
            yield return element();
    }

    private static T Pick<T>(T[] from, Random random) => from[random.Next(from.Length)];
}
