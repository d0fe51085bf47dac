using System.Buffers.Binary;
using Millrace.Api.Errors;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Inference;

/// <summary>A body without any JSON: the tensor of the one input, whose shape is found from its size. All outputs are answered in binary.</summary>
/// <remarks>Source: Triton's binary tensor data extension, raw binary request.</remarks>
internal static class RawRequest
{
    /// <exception cref="RefusedException">400: the model has not one input, or the bytes are no tensor of its shape.</exception>
    public static InferenceRequest Read(ReadOnlyMemory<byte> bytes, ServedVersion model, LimitsOptions limits)
    {
        if (model.Inputs is not [var input])
        {
            throw new RefusedException(ErrorCode.InvalidTensor,
                $"A body without JSON ({InferenceBody.Header}: 0) is the tensor of a model's one input; {model.Model} takes {string.Join(", ", model.Inputs.Select(i => i.Name))}.");
        }
        var (shape, open) = Shape(input, isBatched: model.MaxBatchSize > 0);
        if (input.Datatype == Datatype.Bytes)
            bytes = OneString(input, shape, bytes.Span);
        else if (open >= 0)
            shape[open] = Length(input, shape, bytes.Length);
        TensorBytes.Check(input.Name, input.Datatype, TensorShape.Count(input.Name, shape, limits.MaxElements), bytes.Span);
        return new InferenceRequest(null, [new Tensor(input.Name, input.Datatype, shape, bytes)], []) { AllAsBinary = true };
    }

    /// <summary>The dimension that the size decides, 1 for the time being; -1 when all are fixed. The batch's is it only where no other is variable.</summary>
    private static (long[] Shape, int Open) Shape(TensorSpec input, bool isBatched)
    {
        var shape = input.Shape.ToArray();
        var open = Enumerable.Range(0, shape.Length).Where(at => shape[at] < 0).ToList();
        foreach (var at in open)
            shape[at] = 1;
        if (open.Count > 1 && isBatched)
            open.RemoveAt(0); // a batch of one
        return open.Count <= 1
            ? (shape, open is [var only] ? only : -1)
            : throw TensorJsonReader.Wrong(input.Name, $"its shape {TensorShape.Text(input.Shape)} can't be found from a size; send JSON before the tensor");
    }

    private static long Length(TensorSpec input, long[] shape, int bytes)
    {
        var one = checked(Tensor.Count(shape) * input.Datatype.ElementSize());
        return one > 0 && bytes % one == 0
            ? bytes / one
            : throw TensorJsonReader.Wrong(input.Name, $"it has {bytes} bytes; its shape {TensorShape.Text(input.Shape)} takes a multiple of {one}");
    }

    /// <summary>The body is the one element, and gets its length before it.</summary>
    private static byte[] OneString(TensorSpec input, long[] shape, ReadOnlySpan<byte> text)
    {
        if (Tensor.Count(shape) != 1)
            throw TensorJsonReader.Wrong(input.Name, $"a body without JSON is one element of BYTES, and its shape is {TensorShape.Text(input.Shape)}; send JSON before the tensor");
        var element = new byte[4 + text.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(element, (uint)text.Length);
        text.CopyTo(element.AsSpan(4));
        return element;
    }
}
