using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Millrace.Api.Tests.Inference;

/// <summary>Elements of tensors, made at random, and turned from one form into the other by other code than the server's.</summary>
internal static class Elements
{
    public static byte[] ToBytes(string datatype, JsonArray data) => data.SelectMany(element => ToBytes(datatype, element!)).ToArray();

    /// <summary>As JSON text; what was made here, JSON can say.</summary>
    public static JsonArray ToJson(string datatype, byte[] raw)
    {
        var data = new JsonArray();
        for (var at = 0; at < raw.Length;)
        {
            var size = datatype == "BYTES" ? 4 + BitConverter.ToInt32(raw, at) : Size(datatype);
            data.Add(ToJsonElement(datatype, raw[at..(at + size)]));
            at += size;
        }
        return data;
    }

    /// <summary>Elements of which JSON can say each: finite numbers, text.</summary>
    public static byte[] Random(Random random, string datatype, long count)
    {
        var bytes = new List<byte>();
        for (; count > 0; count--)
            bytes.AddRange(RandomElement(random, datatype));
        return [.. bytes];
    }

    public static int Size(string datatype) => datatype switch
    {
        "BOOL" or "INT8" or "UINT8" => 1,
        "INT16" or "UINT16" or "FP16" or "BF16" => 2,
        "INT32" or "UINT32" or "FP32" => 4,
        _ => 8,
    };

    private static byte[] RandomElement(Random random, string datatype)
    {
        switch (datatype)
        {
            case "BOOL":
                return [(byte)random.Next(2)];
            case "BYTES":
                return Framing.Strings(Encoding.UTF8.GetBytes(RandomText(random)));
            case "FP32" when random.Next(2) == 0: // such as people write
                return BitConverter.GetBytes((float)Plain(random));
            case "FP64" when random.Next(2) == 0:
                return BitConverter.GetBytes(Plain(random));
            case "FP32" or "FP64" or "FP16" or "BF16":
                while (true)
                {
                    var bits = new byte[Size(datatype)];
                    random.NextBytes(bits);
                    if (datatype switch { "FP32" => float.IsFinite(BitConverter.ToSingle(bits)), "FP64" => double.IsFinite(BitConverter.ToDouble(bits)), _ => true })
                        return bits;
                }
            default:
                var whole = new byte[Size(datatype)];
                switch (random.Next(4)) // the ends as often as what is between
                {
                    case 0: Array.Fill(whole, (byte)0xFF); break;
                    case 1: whole[^1] = 0x80; break;
                    default: random.NextBytes(whole); break;
                }
                return whole;
        }
    }

    private static double Plain(Random random) => (random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-4, 15));

    private static string RandomText(Random random)
    {
        var text = new StringBuilder();
        for (var length = random.Next(8) == 0 ? random.Next(300) : random.Next(6); length > 0; length--)
        {
            text.Append(random.Next(5) switch
            {
                0 => char.ConvertFromUtf32(random.Next(0x10000, 0x110000)),
                1 => ((char)random.Next(0x20)).ToString(),
                2 => ((char)random.Next(0x80, 0xD800)).ToString(),
                _ => ((char)random.Next(0x20, 0x7F)).ToString(),
            });
        }
        return text.ToString();
    }

    private static JsonNode ToJsonElement(string datatype, byte[] element) => datatype switch
    {
        "BOOL" => JsonValue.Create(element[0] != 0),
        "BYTES" => JsonValue.Create(Encoding.UTF8.GetString(element[4..])),
        "FP32" => Number(BitConverter.ToSingle(element).ToString("R", CultureInfo.InvariantCulture)),
        "FP64" => Number(BitConverter.ToDouble(element).ToString("R", CultureInfo.InvariantCulture)),
        _ => Number(new BigInteger(element, isUnsigned: datatype[0] == 'U').ToString(CultureInfo.InvariantCulture)),
    };

    private static byte[] ToBytes(string datatype, JsonNode element) => datatype switch
    {
        "BOOL" => [(bool)element ? (byte)1 : (byte)0],
        "BYTES" => Framing.Strings(Encoding.UTF8.GetBytes((string)element!)),
        "FP32" => BitConverter.GetBytes(float.Parse(element.ToJsonString(), CultureInfo.InvariantCulture)),
        "FP64" => BitConverter.GetBytes(double.Parse(element.ToJsonString(), CultureInfo.InvariantCulture)),
        _ => Whole(BigInteger.Parse(element.ToJsonString(), CultureInfo.InvariantCulture), Size(datatype)),
    };

    private static byte[] Whole(BigInteger value, int size) => (value + (BigInteger.One << 64)).ToByteArray()[..size]; // two's complement

    private static JsonNode Number(string text) => JsonSerializer.Deserialize<JsonNode>(text)!;
}
