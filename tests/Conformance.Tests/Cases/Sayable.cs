using System.Runtime.InteropServices;
using System.Text.Unicode;
using Millrace.Conformance.Tests.Table;
using Millrace.Hosting.Inference;

namespace Millrace.Conformance.Tests.Cases;

internal static class Sayable
{
    /// <summary>Whether JSON has words for a tensor's values.</summary>
    public static bool InJson(this Tensor tensor) => tensor.Datatype switch
    {
        Datatype.Fp16 or Datatype.Bf16 => false,
        Datatype.Fp32 => MemoryMarshal.Cast<byte, float>(tensor.Data.Span).ToArray().All(float.IsFinite),
        Datatype.Fp64 => MemoryMarshal.Cast<byte, double>(tensor.Data.Span).ToArray().All(double.IsFinite),
        Datatype.Bytes => Elements.Split(tensor.Data).All(text => Utf8.IsValid(text.Span)),
        _ => true,
    };
}
