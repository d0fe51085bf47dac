using System.Buffers.Binary;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Millrace.Hosting.Inference;
using Tensor = Millrace.Hosting.Inference.Tensor;

namespace Millrace.Conformance.Tests.Table;

/// <summary>Tensors into ONNX Runtime and out again, apart from the product's own way.</summary>
internal static class OrtTensors
{
    private static readonly (TensorElementType Ort, Datatype Protocol)[] Types =
    [
        (TensorElementType.Bool, Datatype.Bool), (TensorElementType.Int8, Datatype.Int8), (TensorElementType.Int16, Datatype.Int16), (TensorElementType.Int32, Datatype.Int32),
        (TensorElementType.Int64, Datatype.Int64), (TensorElementType.UInt8, Datatype.Uint8), (TensorElementType.UInt16, Datatype.Uint16), (TensorElementType.UInt32, Datatype.Uint32),
        (TensorElementType.UInt64, Datatype.Uint64), (TensorElementType.Float16, Datatype.Fp16), (TensorElementType.BFloat16, Datatype.Bf16), (TensorElementType.Float, Datatype.Fp32),
        (TensorElementType.Double, Datatype.Fp64), (TensorElementType.String, Datatype.Bytes),
    ];

    public static Datatype ToDatatype(this TensorElementType type) => Types.Single(t => t.Ort == type).Protocol;

    public static OrtValue From(Tensor tensor)
    {
        if (tensor.Datatype == Datatype.Bytes)
            return FromStrings(tensor);
        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, Types.Single(t => t.Protocol == tensor.Datatype).Ort, tensor.Shape);
        if (tensor.Data.Length > 0)
            tensor.Data.Span.CopyTo(value.GetTensorMutableRawData());
        return value;
    }

    public static Tensor ToTensor(string name, OrtValue value)
    {
        var info = value.GetTensorTypeAndShape();
        var datatype = info.ElementDataType.ToDatatype();
        if (datatype == Datatype.Bytes)
            return new Tensor(name, datatype, info.Shape, Elements.Join(Enumerable.Range(0, (int)info.ElementCount).Select(at => value.GetStringElementAsSpan(at).ToArray())));
        return new Tensor(name, datatype, info.Shape, info.ElementCount == 0 ? default : value.GetTensorMutableRawData().ToArray());
    }

    private static OrtValue FromStrings(Tensor tensor)
    {
        var value = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, tensor.Shape);
        foreach (var (text, at) in Elements.Split(tensor.Data).Select((text, at) => (text, at)))
            value.StringTensorSetElementAt(text.Span, at);
        return value;
    }
}

/// <summary>The elements of a BYTES tensor: each its length (uint32, little-endian), then its bytes.</summary>
internal static class Elements
{
    public static byte[] Join(IEnumerable<byte[]> texts)
    {
        using var all = new MemoryStream();
        Span<byte> length = stackalloc byte[4];
        foreach (var text in texts)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)text.Length);
            all.Write(length);
            all.Write(text);
        }
        return all.ToArray();
    }

    public static IEnumerable<ReadOnlyMemory<byte>> Split(ReadOnlyMemory<byte> data)
    {
        while (data.Length > 0)
        {
            var length = (int)BinaryPrimitives.ReadUInt32LittleEndian(data.Span);
            yield return data.Slice(4, length);
            data = data[(4 + length)..];
        }
    }
}
