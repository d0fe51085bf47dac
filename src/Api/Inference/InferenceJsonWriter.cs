using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Inference;

/// <summary>Writes an inference response as JSON, tensors flat; of one that is wanted in binary, its size.</summary>
/// <remarks>Source: Open Inference Protocol, inference response JSON object; Triton's binary tensor data extension.</remarks>
internal static class InferenceJsonWriter
{
    private const long LargestFirstBuffer = 1 << 20;
    private static readonly JsonWriterOptions Options = new() { SkipValidation = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <exception cref="NotJsonException">An output that is not wanted in binary has values that JSON can't say.</exception>
    public static ReadOnlyMemory<byte> Write(InferenceResponse response)
    {
        var buffer = new ArrayBufferWriter<byte>((int)Math.Min(256 + (response.Outputs.Sum(o => o.AsBinary ? 0L : o.Data.Length) * 3), LargestFirstBuffer));
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("model_name"u8, response.Model);
            json.WriteString("model_version"u8, response.ModelVersion);
            if (response.Id is { } id)
                json.WriteString("id"u8, id);
            json.WriteStartArray("outputs"u8);
            foreach (var output in response.Outputs)
                Write(json, output);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }

    private static void Write(Utf8JsonWriter json, Tensor tensor)
    {
        json.WriteStartObject();
        json.WriteString("name"u8, tensor.Name);
        json.WriteString("datatype"u8, tensor.Datatype.Name());
        json.WriteStartArray("shape"u8);
        foreach (var dimension in tensor.Shape)
            json.WriteNumberValue(dimension);
        json.WriteEndArray();
        if (tensor.AsBinary)
        {
            json.WriteStartObject("parameters"u8);
            json.WriteNumber("binary_data_size"u8, tensor.Data.Length);
            json.WriteEndObject();
        }
        else
        {
            json.WriteStartArray("data"u8);
            WriteData(json, tensor);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static void WriteData(Utf8JsonWriter json, Tensor tensor)
    {
        var data = tensor.Data.Span;
        switch (tensor.Datatype)
        {
            case Datatype.Fp32: WriteFloats(json, tensor.Name, MemoryMarshal.Cast<byte, float>(data)); break;
            case Datatype.Fp64: WriteDoubles(json, tensor.Name, MemoryMarshal.Cast<byte, double>(data)); break;
            case Datatype.Bool: WriteBools(json, data); break;
            case Datatype.Int8: WriteIntegers(json, MemoryMarshal.Cast<byte, sbyte>(data)); break;
            case Datatype.Int16: WriteIntegers(json, MemoryMarshal.Cast<byte, short>(data)); break;
            case Datatype.Int32: WriteIntegers(json, MemoryMarshal.Cast<byte, int>(data)); break;
            case Datatype.Int64: WriteIntegers(json, MemoryMarshal.Cast<byte, long>(data)); break;
            case Datatype.Uint8: WriteIntegers(json, data); break;
            case Datatype.Uint16: WriteIntegers(json, MemoryMarshal.Cast<byte, ushort>(data)); break;
            case Datatype.Uint32: WriteIntegers(json, MemoryMarshal.Cast<byte, uint>(data)); break;
            case Datatype.Uint64: WriteUnsigned(json, MemoryMarshal.Cast<byte, ulong>(data)); break;
            case Datatype.Bytes: WriteStrings(json, tensor.Name, data); break;
            default: throw new NotJsonException(tensor.Name, $"{tensor.Datatype.Name()} can't be written as JSON");
        }
    }

    private static void WriteFloats(Utf8JsonWriter json, string name, ReadOnlySpan<float> values)
    {
        foreach (var value in values)
            json.WriteNumberValue(float.IsFinite(value) ? value : throw NotFinite(name));
    }

    private static void WriteDoubles(Utf8JsonWriter json, string name, ReadOnlySpan<double> values)
    {
        foreach (var value in values)
            json.WriteNumberValue(double.IsFinite(value) ? value : throw NotFinite(name));
    }

    private static void WriteIntegers<T>(Utf8JsonWriter json, ReadOnlySpan<T> values) where T : struct, IBinaryInteger<T>
    {
        foreach (var value in values)
            json.WriteNumberValue(long.CreateChecked(value));
    }

    private static void WriteUnsigned(Utf8JsonWriter json, ReadOnlySpan<ulong> values)
    {
        foreach (var value in values)
            json.WriteNumberValue(value);
    }

    private static void WriteBools(Utf8JsonWriter json, ReadOnlySpan<byte> values)
    {
        foreach (var value in values)
            json.WriteBooleanValue(value != 0);
    }

    private static void WriteStrings(Utf8JsonWriter json, string name, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            var length = (int)BinaryPrimitives.ReadUInt32LittleEndian(data);
            var text = data.Slice(4, length);
            json.WriteStringValue(Utf8.IsValid(text) ? text : throw new NotJsonException(name, "it has bytes that are not UTF-8"));
            data = data[(4 + length)..];
        }
    }

    private static NotJsonException NotFinite(string name) => new(name, "it has a value that is not finite (NaN or infinity)");
}

/// <summary>An output can't be answered as JSON; how to get it in binary is the route's to say.</summary>
internal sealed class NotJsonException(string output, string why) : Exception($"Output {output} can't be answered as JSON: {why}");
