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

    private const string Served = "only tensors of the protocol's datatypes are served";

    private static readonly FrozenDictionary<Datatype, TensorElementType> ToOrt = FromOrt.ToFrozenDictionary(p => p.Value, p => p.Key);

    public static TensorElementType ToElementType(this Datatype datatype) => ToOrt[datatype];

    public static Datatype ToDatatype(this TensorElementType type) =>
        FromOrt.TryGetValue(type, out var datatype) ? datatype : throw new InvalidDataException($"element type {type} is not one of the protocol's");

    /// <exception cref="InvalidDataException">It is no tensor of the protocol's types.</exception>
    public static TensorSpec ToSpec(string kind, string name, NodeMetadata metadata)
    {
        if (metadata.OnnxValueType != OnnxValueType.ONNX_TYPE_TENSOR) // its element type can't even be asked for
            throw new InvalidDataException($"{kind} {name} is {Words(metadata.OnnxValueType)}; {Served}");
        return FromOrt.TryGetValue(metadata.ElementDataType, out var datatype)
            ? new TensorSpec(name, datatype, Array.ConvertAll(metadata.Dimensions, d => (long)d))
            : throw new InvalidDataException($"{kind} {name} has elements of {metadata.ElementDataType}; {Served}");
    }

    /// <summary>ONNX Runtime for C# opens no session where a datatype is one that it has no word for (FP8, 4 bits), and says so in its own.</summary>
    /// <exception cref="InvalidDataException">The model has such a datatype.</exception>
    public static InferenceSession Open(Func<InferenceSession> open)
    {
        try { return open(); }
        catch (OnnxRuntimeException error) when (error.Message.Contains("Unregistered TensorElementType", StringComparison.Ordinal))
        {
            throw new InvalidDataException($"an input or output has elements of a datatype that is not known here; {Served}", error);
        }
    }

    private static string Words(OnnxValueType type) => type switch
    {
        OnnxValueType.ONNX_TYPE_SEQUENCE => "a sequence",
        OnnxValueType.ONNX_TYPE_MAP => "a map",
        OnnxValueType.ONNX_TYPE_OPTIONAL => "optional",
        OnnxValueType.ONNX_TYPE_SPARSETENSOR => "a sparse tensor",
        _ => "no tensor",
    };
}
