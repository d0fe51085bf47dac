using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Millrace.Conformance.Tests.Table;
using Millrace.Hosting.Inference;

namespace Millrace.Conformance.Tests.Transports;

/// <summary>Tensors as JSON and back, bit for bit.</summary>
internal static class JsonTensors
{
    public static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="nested">As an array of arrays, by the shape; else flat.</param>
    public static void WriteData(Utf8JsonWriter json, Tensor tensor, bool nested)
    {
        json.WritePropertyName("data");
        var elements = Texts(tensor).GetEnumerator();
        if (nested && tensor.Shape.Length > 0)
            WriteNested(json, tensor.Shape, elements);
        else
            WriteRow(json, Tensor.Count(tensor.Shape), elements);
    }

    private static void WriteNested(Utf8JsonWriter json, ReadOnlySpan<long> shape, IEnumerator<string> elements)
    {
        if (shape.Length == 1)
        {
            WriteRow(json, shape[0], elements);
            return;
        }
        json.WriteStartArray();
        for (long at = 0; at < shape[0]; at++)
            WriteNested(json, shape[1..], elements);
        json.WriteEndArray();
    }

    private static void WriteRow(Utf8JsonWriter json, long count, IEnumerator<string> elements)
    {
        json.WriteStartArray();
        for (; count > 0 && elements.MoveNext(); count--)
            json.WriteRawValue(elements.Current);
        json.WriteEndArray();
    }

    /// <summary>Each element as JSON. FP16 and BF16, which JSON lacks, get a 0, so that the refusal is seen.</summary>
    private static IEnumerable<string> Texts(Tensor tensor) => tensor.Datatype switch
    {
        Datatype.Bool => Each<byte>(tensor, v => v == 0 ? "false" : "true"),
        Datatype.Int8 => Each<sbyte>(tensor, v => v.ToString(CultureInfo.InvariantCulture)),
        Datatype.Int16 => Each<short>(tensor, v => v.ToString(CultureInfo.InvariantCulture)),
        Datatype.Int32 => Each<int>(tensor, v => v.ToString(CultureInfo.InvariantCulture)),
        Datatype.Int64 => Each<long>(tensor, v => v.ToString(CultureInfo.InvariantCulture)),
        Datatype.Uint8 => Each<byte>(tensor, v => v.ToString(CultureInfo.InvariantCulture)),
        Datatype.Uint16 => Each<ushort>(tensor, v => v.ToString(CultureInfo.InvariantCulture)),
        Datatype.Uint32 => Each<uint>(tensor, v => v.ToString(CultureInfo.InvariantCulture)),
        Datatype.Uint64 => Each<ulong>(tensor, v => v.ToString(CultureInfo.InvariantCulture)),
        Datatype.Fp32 => Each<float>(tensor, v => v.ToString("R", CultureInfo.InvariantCulture)),
        Datatype.Fp64 => Each<double>(tensor, v => v.ToString("R", CultureInfo.InvariantCulture)),
        Datatype.Bytes => Elements.Split(tensor.Data).Select(text => JsonSerializer.Serialize(Encoding.UTF8.GetString(text.Span))),
        _ => Each<ushort>(tensor, _ => "0"),
    };

    private static string[] Each<T>(Tensor tensor, Func<T, string> text) where T : struct => Array.ConvertAll(MemoryMarshal.Cast<byte, T>(tensor.Data.Span).ToArray(), v => text(v));

    /// <param name="json">An output with its data; the array is flat.</param>
    public static Tensor Read(JsonElement json)
    {
        var (name, datatype, shape) = ReadHead(json);
        using var data = new MemoryStream();
        if (datatype == Datatype.Bytes)
            return new Tensor(name, datatype, shape, Elements.Join(json.GetProperty("data").EnumerateArray().Select(v => Encoding.UTF8.GetBytes(v.GetString()!))));
        foreach (var value in json.GetProperty("data").EnumerateArray())
            data.Write(Bytes(datatype, value));
        return new Tensor(name, datatype, shape, data.ToArray());
    }

    public static (string Name, Datatype Datatype, long[] Shape) ReadHead(JsonElement json) =>
        (json.GetProperty("name").GetString()!, Datatypes.TryParse(json.GetProperty("datatype").GetString()!, out var datatype) ? datatype : throw new InvalidDataException("An unknown datatype."),
            json.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64()).ToArray());

    private static byte[] Bytes(Datatype datatype, JsonElement value) => datatype switch
    {
        Datatype.Bool => [value.GetBoolean() ? (byte)1 : (byte)0],
        Datatype.Int8 => [(byte)value.GetSByte()],
        Datatype.Int16 => BitConverter.GetBytes(value.GetInt16()),
        Datatype.Int32 => BitConverter.GetBytes(value.GetInt32()),
        Datatype.Int64 => BitConverter.GetBytes(value.GetInt64()),
        Datatype.Uint8 => [value.GetByte()],
        Datatype.Uint16 => BitConverter.GetBytes(value.GetUInt16()),
        Datatype.Uint32 => BitConverter.GetBytes(value.GetUInt32()),
        Datatype.Uint64 => BitConverter.GetBytes(value.GetUInt64()),
        Datatype.Fp32 => BitConverter.GetBytes(float.Parse(value.GetRawText(), CultureInfo.InvariantCulture)),
        Datatype.Fp64 => BitConverter.GetBytes(double.Parse(value.GetRawText(), CultureInfo.InvariantCulture)),
        _ => throw new InvalidDataException($"{datatype.Name()} has no form in JSON."),
    };
}
