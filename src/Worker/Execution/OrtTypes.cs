using System.Collections.Frozen;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Millrace.Hosting.Inference;

namespace Millrace.Worker.Execution;

/// <summary>The protocol's datatypes beside ONNX Runtime's.</summary>
internal static class OrtTypes
{
    private static readonly FrozenDictionary<TensorElementType, Datatype> FromOrt = new Dictionary<TensorElementType, Datatype>
    {
        [TensorElementType.Bool] = Datatype.Bool,
        [TensorElementType.Int8] = Datatype.Int8,
        [TensorElementType.Int16] = Datatype.Int16,
        [TensorElementType.Int32] = Datatype.Int32,
        [TensorElementType.Int64] = Datatype.Int64,
        [TensorElementType.UInt8] = Datatype.Uint8,
        [TensorElementType.UInt16] = Datatype.Uint16,
        [TensorElementType.UInt32] = Datatype.Uint32,
        [TensorElementType.UInt64] = Datatype.Uint64,
        [TensorElementType.Float16] = Datatype.Fp16,
        [TensorElementType.BFloat16] = Datatype.Bf16,
        [TensorElementType.Float] = Datatype.Fp32,
        [TensorElementType.Double] = Datatype.Fp64,
        [TensorElementType.String] = Datatype.Bytes,
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<Datatype, TensorElementType> ToOrt = FromOrt.ToFrozenDictionary(p => p.Value, p => p.Key);

    public static TensorElementType ToElementType(this Datatype datatype) => ToOrt[datatype];

    public static Datatype ToDatatype(this TensorElementType type) =>
        FromOrt.TryGetValue(type, out var datatype) ? datatype : throw new InvalidDataException($"element type {type} is not one of the protocol's");

    public static TensorSpec ToSpec(string kind, string name, NodeMetadata metadata) => metadata.IsTensor && FromOrt.ContainsKey(metadata.ElementDataType)
        ? new TensorSpec(name, metadata.ElementDataType.ToDatatype(), Array.ConvertAll(metadata.Dimensions, d => (long)d))
        : throw new InvalidDataException($"{kind} {name} is {metadata.OnnxValueType} of {metadata.ElementDataType}; only tensors of the protocol's datatypes are served");
}
