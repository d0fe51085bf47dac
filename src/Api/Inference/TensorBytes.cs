using System.Buffers.Binary;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Inference;

/// <summary>Checks tensors that come in binary; their bytes are used where they lie.</summary>
internal static class TensorBytes
{
    private const int LengthSize = 4;

    /// <summary>Passes when the bytes are exactly the elements that the shape takes. NaN and infinity pass bit by bit.</summary>
    /// <param name="count">Elements that the shape takes.</param>
    /// <exception cref="Errors.RefusedException">400, naming the input.</exception>
    public static void Check(string name, Datatype datatype, long count, ReadOnlySpan<byte> bytes)
    {
        if (datatype == Datatype.Bytes)
        {
            CheckStrings(name, count, bytes);
            return;
        }
        var size = datatype.ElementSize();
        if (checked(count * size) != bytes.Length)
            throw TensorJsonReader.Wrong(name, $"it has {bytes.Length} bytes; its shape takes {count} elements of {size}, {count * size} bytes");
        if (datatype == Datatype.Bool && bytes.IndexOfAnyExceptInRange((byte)0, (byte)1) is >= 0 and var at)
            throw TensorJsonReader.Wrong(name, $"element {at} is the byte {bytes[at]}; BOOL takes 0 and 1");
    }

    /// <summary>Walks the lengths: each element must lie within the bytes, and the last must end with them.</summary>
    private static void CheckStrings(string name, long count, ReadOnlySpan<byte> bytes)
    {
        long elements = 0;
        for (var rest = bytes; rest.Length > 0; elements++)
        {
            if (elements == count)
                throw TensorJsonReader.Wrong(name, $"its shape takes {count} elements, and {rest.Length} bytes are left after them");
            if (rest.Length < LengthSize)
                throw TensorJsonReader.Wrong(name, $"element {elements} begins with {rest.Length} bytes; 4 bytes of length (little-endian) must stand before each element");
            var length = BinaryPrimitives.ReadUInt32LittleEndian(rest);
            if (length > rest.Length - LengthSize)
                throw TensorJsonReader.Wrong(name, $"element {elements} has a length of {length}, and {rest.Length - LengthSize} bytes are left");
            rest = rest[(LengthSize + (int)length)..];
        }
        if (elements != count)
            throw TensorJsonReader.Wrong(name, $"its shape takes {count} elements, and its bytes have {elements}");
    }
}
