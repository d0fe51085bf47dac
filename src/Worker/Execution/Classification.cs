using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Millrace.Hosting.Inference;

namespace Millrace.Worker.Execution;

/// <summary>The highest values of an output with their indexes and, where the model has them, their names.</summary>
/// <remarks>Source: Triton's classification extension: BYTES <c>value:index[:label]</c>, highest first.</remarks>
internal static class Classification
{
    /// <param name="tensor">Of two or more dimensions: the first counts rows, the others classes. Of fewer: one row.</param>
    /// <param name="classes">How many are wanted; no more are given than there are.</param>
    /// <returns>BYTES of shape [rows, n], or [n] for one row without a dimension of its own. NaN comes last.</returns>
    public static Tensor Of(Tensor tensor, int classes, IReadOnlyList<string> labels)
    {
        var rows = tensor.Shape.Length > 1 ? tensor.Shape[0] : 1;
        var each = rows == 0 ? 0 : (int)(Tensor.Count(tensor.Shape) / rows);
        var wanted = Math.Min(classes, each);
        var text = new MemoryStream();
        for (var row = 0; row < rows; row++)
        {
            var bytes = tensor.Data.Span.Slice(row * each * tensor.Datatype.ElementSize(), each * tensor.Datatype.ElementSize());
            WriteRow(text, tensor.Datatype, bytes, wanted, labels);
        }
        long[] shape = tensor.Shape.Length > 1 ? [rows, wanted] : [wanted];
        return new Tensor(tensor.Name, Datatype.Bytes, shape, text.GetBuffer().AsMemory(0, (int)text.Length));
    }

    private static void WriteRow(MemoryStream text, Datatype datatype, ReadOnlySpan<byte> row, int wanted, IReadOnlyList<string> labels)
    {
        switch (datatype)
        {
            case Datatype.Fp32: WriteRow<float>(text, row, wanted, labels); break;
            case Datatype.Fp64: WriteRow<double>(text, row, wanted, labels); break;
            case Datatype.Fp16: WriteRow<Half>(text, row, wanted, labels); break;
            case Datatype.Bf16: WriteRow<float>(text, MemoryMarshal.AsBytes<float>(Widen(row)), wanted, labels); break;
            case Datatype.Int8: WriteRow<sbyte>(text, row, wanted, labels); break;
            case Datatype.Int16: WriteRow<short>(text, row, wanted, labels); break;
            case Datatype.Int32: WriteRow<int>(text, row, wanted, labels); break;
            case Datatype.Int64: WriteRow<long>(text, row, wanted, labels); break;
            case Datatype.Bool or Datatype.Uint8: WriteRow<byte>(text, row, wanted, labels); break;
            case Datatype.Uint16: WriteRow<ushort>(text, row, wanted, labels); break;
            case Datatype.Uint32: WriteRow<uint>(text, row, wanted, labels); break;
            case Datatype.Uint64: WriteRow<ulong>(text, row, wanted, labels); break;
            default: throw new InvalidDataException($"{datatype.Name()} has no order to classify by.");
        }
    }

    private static void WriteRow<T>(MemoryStream text, ReadOnlySpan<byte> row, int wanted, IReadOnlyList<string> labels) where T : unmanaged, INumber<T>
    {
        var values = MemoryMarshal.Cast<byte, T>(row).ToArray();
        var order = Enumerable.Range(0, values.Length).OrderBy(i => T.IsNaN(values[i])).ThenByDescending(i => values[i]).Take(wanted); // stable: of equals the first
        Span<byte> length = stackalloc byte[4];
        foreach (var index in order)
        {
            var name = index < labels.Count ? ":" + labels[index] : "";
            var bytes = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{values[index]}:{index}{name}"));
            BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)bytes.Length);
            text.Write(length);
            text.Write(bytes);
        }
    }

    /// <summary>BF16 is the upper half of an FP32.</summary>
    private static float[] Widen(ReadOnlySpan<byte> row)
    {
        var halves = MemoryMarshal.Cast<byte, ushort>(row);
        var values = new float[halves.Length];
        for (var at = 0; at < values.Length; at++)
            values[at] = BitConverter.UInt32BitsToSingle((uint)halves[at] << 16);
        return values;
    }
}
