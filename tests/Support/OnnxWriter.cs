using System.Runtime.InteropServices;
using System.Text;

namespace Millrace.Tests.Support;

/// <summary>Writes models byte by byte, for what no exporter would write: OUT = table[IN], with the table in the file or, by what it says, elsewhere.</summary>
public static class OnnxWriter
{
    private const int Fp32 = 1;
    private const int Int64 = 7;

    public static byte[] Gather(float[] table) => Gather(table.Length, Field(9, MemoryMarshal.AsBytes<float>(table).ToArray()));

    /// <param name="entries">What the model says of the data's place, as (location, weights.bin).</param>
    public static byte[] GatherExternal(long elements, params (string Key, string Value)[] entries) => Gather(elements, [.. External(entries), .. Number(14, 1)]);

    /// <summary>With so many tensors, unused, at one place.</summary>
    public static byte[] GatherMany(int tensors, string location) => Model([.. Table(1, External(("location", location))),
        .. Enumerable.Range(0, tensors).SelectMany(at => Field(5, [.. Number(1, 1), .. Number(2, Fp32), .. Field(8, $"extra{at}"), .. External(("location", location)), .. Number(14, 1)]))]);

    /// <summary>The place is named by a constant in a branch of an If, not by the graph itself.</summary>
    public static byte[] ConstantInBranch(string location)
    {
        byte[] tensor = [.. Number(1, 1), .. Number(2, Fp32), .. External(("location", location)), .. Number(14, 1)];
        byte[] constant = Field(1, [.. Field(2, "c"), .. Field(4, "Constant"), .. Field(5, [.. Field(1, "value"), .. Field(5, tensor), .. Number(20, 4)])]);
        byte[] branch = [.. constant, .. Field(2, "branch"), .. Field(12, [.. Field(1, "c")])];
        return Model([.. Field(1, [.. Field(1, "cond"), .. Field(2, "x"), .. Field(4, "If"), .. Field(5, [.. Field(1, "then_branch"), .. Field(6, branch), .. Number(20, 5)]), .. Field(5, [.. Field(1, "else_branch"), .. Field(6, branch), .. Number(20, 5)])])]);
    }

    private static byte[] Gather(long elements, byte[] data) => Model(Table(elements, data));

    private static byte[] Table(long elements, byte[] data) => Field(5, [.. Number(1, elements), .. Number(2, Fp32), .. Field(8, "table"), .. data]);

    private static byte[] Model(byte[] more)
    {
        byte[] node = Field(1, [.. Field(1, "table"), .. Field(1, "IN"), .. Field(2, "OUT"), .. Field(4, "Gather")]);
        var graph = Concat(node, Field(2, "g"), more, Field(11, Value("IN", Int64)), Field(12, Value("OUT", Fp32)));
        return Concat(Number(1, 8), Field(8, [.. Field(1, ""), .. Number(2, 13)]), Field(7, graph));
    }

    private static byte[] Value(string name, int kind) =>
        [.. Field(1, name), .. Field(2, [.. Field(1, [.. Number(1, kind), .. Field(2, [.. Field(1, [.. Field(2, "N")])])])])];

    private static byte[] External(params (string Key, string Value)[] entries) =>
        [.. entries.SelectMany(e => Field(13, [.. Field(1, e.Key), .. Field(2, e.Value)]))];

    private static byte[] Field(int number, string text) => Field(number, Encoding.UTF8.GetBytes(text));

    private static byte[] Field(int number, byte[] bytes) => Concat(Varint((ulong)((number << 3) | 2)), Varint((ulong)bytes.Length), bytes);

    private static byte[] Number(int number, long value) => [.. Varint((ulong)(number << 3)), .. Varint((ulong)value)];

    private static byte[] Concat(params byte[][] parts)
    {
        var all = new byte[parts.Sum(p => p.Length)];
        var at = 0;
        foreach (var part in parts)
        {
            part.CopyTo(all, at);
            at += part.Length;
        }
        return all;
    }

    private static byte[] Varint(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
            bytes.Add((byte)(value | 0x80));
        bytes.Add((byte)value);
        return [.. bytes];
    }
}
