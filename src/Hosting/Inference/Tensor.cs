namespace Millrace.Hosting.Inference;

/// <summary>A tensor in the protocol's binary form.</summary>
/// <param name="Shape">Dimensions, batch included, none negative; empty is a scalar.</param>
/// <param name="Data">Row-major, little-endian, no padding. BYTES: for each element its length (uint32, little-endian), then its bytes.</param>
/// <remarks>Source: Open Inference Protocol, binary tensor data extension.</remarks>
public sealed record Tensor(string Name, Datatype Datatype, long[] Shape, ReadOnlyMemory<byte> Data)
{
    /// <summary>Of an output: the client asked for it in binary.</summary>
    public bool AsBinary { get; init; }

    /// <summary>The product of the dimensions; 1 for a scalar.</summary>
    /// <exception cref="OverflowException">The product passes 2^63 - 1.</exception>
    public static long Count(ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (var dimension in shape)
        {
            if (dimension == 0)
                return 0;
            count = checked(count * dimension);
        }
        return count;
    }
}

/// <summary>A tensor as a model declares it.</summary>
/// <param name="Shape">-1 marks a variable dimension, the batch's included.</param>
public sealed record TensorSpec(string Name, Datatype Datatype, long[] Shape)
{
    /// <summary>As many dimensions, and each either variable here or equal.</summary>
    public bool Fits(ReadOnlySpan<long> shape)
    {
        if (shape.Length != Shape.Length)
            return false;
        for (var at = 0; at < shape.Length; at++)
        {
            if (Shape[at] >= 0 && Shape[at] != shape[at])
                return false;
        }
        return true;
    }
}
