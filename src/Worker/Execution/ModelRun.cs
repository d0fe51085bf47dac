using System.Buffers;
using System.Buffers.Binary;
using Microsoft.ML.OnnxRuntime;
using Millrace.Hosting.Inference;
using Millrace.Worker.Models;

namespace Millrace.Worker.Execution;

/// <summary>One call of a model: rows of several requests in, rows of each out.</summary>
internal static class ModelRun
{
    /// <summary>Rows of a request: the first dimension that all inputs share. Null when they share none, so that it must run alone.</summary>
    public static long? Rows(InferenceRequest request)
    {
        long? rows = null;
        foreach (var input in request.Inputs)
        {
            if (input.Shape.Length == 0 || (rows ?? input.Shape[0]) != input.Shape[0])
                return null;
            rows = input.Shape[0];
        }
        return rows;
    }

    /// <summary>Whether two requests differ in nothing but their rows.</summary>
    public static bool Agree(InferenceRequest one, InferenceRequest other)
    {
        foreach (var input in one.Inputs)
        {
            var twin = Find(other, input.Name);
            if (twin.Shape.Length != input.Shape.Length || !twin.Shape.AsSpan(1).SequenceEqual(input.Shape.AsSpan(1)))
                return false;
        }
        return true;
    }

    /// <summary>Runs requests that agree as one batch; a single one may have any shape.</summary>
    /// <returns>For each request its outputs, in the order that it asked for.</returns>
    /// <exception cref="OnnxRuntimeException">The graph failed, or was told to terminate.</exception>
    /// <exception cref="UnevenBatchException">An output's first dimension is not the rows that went in.</exception>
    public static Tensor[][] Run(LoadedModel model, IReadOnlyList<InferenceRequest> requests, RunOptions options)
    {
        var wanted = Wanted(model, requests);
        var inputs = new OrtValue[model.Inputs.Count];
        try
        {
            for (var at = 0; at < inputs.Length; at++)
                inputs[at] = ToOrt(model.Inputs[at], requests);
            using var outputs = model.Session.Run(options, model.Inputs.Select(i => i.Name).ToArray(), inputs, wanted);
            var tensors = wanted.Zip(outputs, (name, value) => FromOrt(name, value)).ToDictionary(t => t.Name);
            return requests.Count == 1 ? [Select(model, requests[0], tensors)] : Split(model, requests, tensors);
        }
        finally
        {
            foreach (var input in inputs)
                input?.Dispose();
        }
    }

    private static string[] Wanted(LoadedModel model, IReadOnlyList<InferenceRequest> requests) => requests.Any(r => r.Outputs.Count == 0)
        ? model.Outputs.Select(o => o.Name).ToArray()
        : requests.SelectMany(r => r.Outputs).Select(o => o.Name).Distinct().ToArray();

    private static OrtValue ToOrt(TensorSpec spec, IReadOnlyList<InferenceRequest> requests)
    {
        var parts = requests.Select(r => Find(r, spec.Name)).ToArray();
        var shape = parts[0].Shape;
        if (parts.Length > 1)
            shape = [parts.Sum(p => p.Shape[0]), .. shape.AsSpan(1)];
        if (spec.Datatype == Datatype.Bytes)
            return ToOrtStrings(parts, shape);
        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, spec.Datatype.ToElementType(), shape);
        if (Tensor.Count(shape) == 0)
            return value;
        var target = value.GetTensorMutableRawData();
        foreach (var part in parts)
        {
            part.Data.Span.CopyTo(target);
            target = target[part.Data.Length..];
        }
        return value;
    }

    private static OrtValue ToOrtStrings(Tensor[] parts, long[] shape)
    {
        var value = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
        var index = 0;
        foreach (var part in parts)
        {
            for (var rest = part.Data.Span; rest.Length > 0; index++)
            {
                var length = (int)BinaryPrimitives.ReadUInt32LittleEndian(rest);
                value.StringTensorSetElementAt(rest.Slice(4, length), index);
                rest = rest[(4 + length)..];
            }
        }
        return value;
    }

    private static Tensor FromOrt(string name, OrtValue value)
    {
        if (!value.IsTensor)
            throw new InvalidDataException($"Output {name} is not a tensor.");
        var info = value.GetTensorTypeAndShape();
        var datatype = info.ElementDataType.ToDatatype();
        if (datatype == Datatype.Bytes)
            return new Tensor(name, datatype, info.Shape, FromOrtStrings(value, Tensor.Count(info.Shape)));
        return new Tensor(name, datatype, info.Shape, info.ElementCount == 0 ? default : value.GetTensorMutableRawData().ToArray());
    }

    private static ReadOnlyMemory<byte> FromOrtStrings(OrtValue value, long count)
    {
        var buffer = new ArrayBufferWriter<byte>();
        for (var index = 0; index < count; index++)
        {
            var text = value.GetStringElementAsSpan(index);
            BinaryPrimitives.WriteUInt32LittleEndian(buffer.GetSpan(4), (uint)text.Length);
            buffer.Advance(4);
            buffer.Write(text);
        }
        return buffer.WrittenMemory;
    }

    private static Tensor[] Select(LoadedModel model, InferenceRequest request, Dictionary<string, Tensor> tensors) => request.Outputs.Count == 0
        ? model.Outputs.Select(o => tensors[o.Name] with { AsBinary = request.AllAsBinary }).ToArray()
        : request.Outputs.Select(o => tensors[o.Name] with { AsBinary = o.AsBinary }).ToArray();

    private static Tensor[][] Split(LoadedModel model, IReadOnlyList<InferenceRequest> requests, Dictionary<string, Tensor> tensors)
    {
        var rows = requests.Select(r => r.Inputs[0].Shape[0]).ToArray();
        var total = rows.Sum();
        var parts = tensors.Values.ToDictionary(t => t.Name, t =>
            t.Shape is [var first, ..] && first == total ? SplitRows(t, rows) : throw new UnevenBatchException(t.Name, total));
        return requests.Select((request, index) => Select(model, request, parts.ToDictionary(p => p.Key, p => p.Value[index]))).ToArray();
    }

    private static Tensor[] SplitRows(Tensor tensor, long[] rows)
    {
        var parts = new Tensor[rows.Length];
        var rest = tensor.Data;
        for (var at = 0; at < rows.Length; at++)
        {
            long[] shape = [rows[at], .. tensor.Shape.AsSpan(1)];
            var elements = Tensor.Count(shape);
            var length = tensor.Datatype == Datatype.Bytes ? StringsLength(rest.Span, elements) : checked((int)(elements * tensor.Datatype.ElementSize()));
            parts[at] = tensor with { Shape = shape, Data = rest[..length] };
            rest = rest[length..];
        }
        return parts;
    }

    private static int StringsLength(ReadOnlySpan<byte> data, long elements)
    {
        var length = 0;
        for (; elements > 0; elements--)
            length += 4 + (int)BinaryPrimitives.ReadUInt32LittleEndian(data[length..]);
        return length;
    }

    private static Tensor Find(InferenceRequest request, string name)
    {
        foreach (var input in request.Inputs)
        {
            if (input.Name == name)
                return input;
        }
        throw new InvalidDataException($"The request has no input {name}.");
    }
}

/// <summary>An output of a batch can't be told apart by rows.</summary>
internal sealed class UnevenBatchException(string output, long rows)
    : Exception($"Output {output} has not the {rows} rows that went in, so requests to this model can't share a run.");
