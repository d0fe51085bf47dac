using System.Runtime.InteropServices;
using Millrace.Hosting.Inference;

namespace Millrace.Conformance.Tests.Judging;

internal enum Exactness
{
    Bits,

    /// <summary>Floats may differ where sums were made in another order; all else is equal.</summary>
    Sums,
}

/// <summary>Outputs beside those that should be.</summary>
internal static class Comparison
{
    private const double SingleTolerance = 1e-5;

    /// <summary>The first difference in words; null when there is none.</summary>
    public static string? Differ(IReadOnlyList<Tensor> expected, IReadOnlyList<Tensor> got, Exactness exactness)
    {
        if (!expected.Select(e => e.Name).SequenceEqual(got.Select(g => g.Name)))
            return $"outputs {string.Join(", ", expected.Select(e => e.Name))} came as {string.Join(", ", got.Select(g => g.Name))}";
        return expected.Zip(got, (e, g) => Differ(e, g, exactness)).FirstOrDefault(d => d is not null);
    }

    private static string? Differ(Tensor expected, Tensor got, Exactness exactness)
    {
        if (expected.Datatype != got.Datatype || !expected.Shape.SequenceEqual(got.Shape))
            return $"{expected.Name} is {Describe(got)}; expected {Describe(expected)}";
        if (expected.Data.Span.SequenceEqual(got.Data.Span))
            return null;
        if (exactness == Exactness.Sums && expected.Data.Length == got.Data.Length && Floats(expected) is { } wanted && Floats(got) is { } given
            && wanted.Zip(given, (w, g) => Near(w, g, Tolerance(expected.Datatype))).All(near => near))
            return null;
        return $"{expected.Name} is {Convert.ToHexString(got.Data.Span[..Math.Min(64, got.Data.Length)])}; expected {Convert.ToHexString(expected.Data.Span[..Math.Min(64, expected.Data.Length)])}";
    }

    private static double Tolerance(Datatype datatype) => datatype switch
    {
        Datatype.Fp16 => 1e-3,
        Datatype.Bf16 => 1e-2,
        _ => SingleTolerance,
    };

    private static bool Near(double wanted, double given, double tolerance) =>
        wanted.Equals(given) || Math.Abs(wanted - given) <= tolerance * Math.Max(Math.Abs(wanted), Math.Abs(given)) || Math.Abs(wanted - given) < tolerance * 0.1;

    private static double[]? Floats(Tensor tensor) => tensor.Datatype switch
    {
        Datatype.Fp16 => Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(tensor.Data.Span).ToArray(), v => (double)v),
        Datatype.Bf16 => Array.ConvertAll(MemoryMarshal.Cast<byte, ushort>(tensor.Data.Span).ToArray(), v => (double)BitConverter.UInt32BitsToSingle((uint)v << 16)),
        Datatype.Fp32 => Array.ConvertAll(MemoryMarshal.Cast<byte, float>(tensor.Data.Span).ToArray(), v => (double)v),
        Datatype.Fp64 => MemoryMarshal.Cast<byte, double>(tensor.Data.Span).ToArray(),
        _ => null,
    };

    private static string Describe(Tensor tensor) => $"{tensor.Datatype.Name()} [{string.Join(",", tensor.Shape)}]";
}
