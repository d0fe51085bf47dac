using System.Buffers;
using System.Buffers.Binary;
using Microsoft.ML.OnnxRuntime;
using Millrace.Hosting.Inference;
using Millrace.Worker.Models;

namespace Millrace.Worker.Execution;

/// <summary>One call of a model: rows of several requests in, rows of each out. What comes out is a view of the runtime's memory until this is
/// disposed.</summary>
internal sealed class ModelRun : IDisposable
{
    private readonly LoadedModel _model;
    private readonly IReadOnlyList<InferenceRequest> _requests;
    private readonly OrtValue[] _inputs;
    private readonly string[] _wanted;
    private IDisposableReadOnlyCollection<OrtValue>? _outputs;
    private Tensor[] _tensors = [];
    private int[][] _begins = []; // for each output, where the rows of each request begin, and where the last end; none of a single request, whose all is its own

    /// <summary>Takes requests that agree, to be run as one batch; a single one may have any shape.</summary>
    public ModelRun(LoadedModel model, IReadOnlyList<InferenceRequest> requests)
    {
        (_model, _requests, _wanted) = (model, requests, Wanted(model, requests));
        _inputs = new OrtValue[model.Inputs.Count];
        try
        {
            for (var at = 0; at < _inputs.Length; at++)
                _inputs[at] = ToOrt(model.Inputs[at]);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <exception cref="OnnxRuntimeException">The graph failed, or was told to terminate.</exception>
    /// <exception cref="EmptyInputException">There is nothing to run on, and the model would end the process.</exception>
    /// <exception cref="UnevenBatchException">An output's first dimension is not the rows that went in.</exception>
    /// <exception cref="ResultTooLargeException">The outputs pass what the model may answer with.</exception>
    public void Execute(RunOptions options)
    {
        if (_model.HasFatalNodes && _model.Inputs.FirstOrDefault(i => _requests.All(r => Tensor.Count(InputOf(r, i.Name).Shape) == 0)) is { } empty)
            throw new EmptyInputException(empty.Name);
        _outputs = _model.Session.Run(options, _model.InputNames, _inputs, _wanted);
        if (_requests.Count == 1)
            CheckSize(_outputs.Where(o => !IsText(o)).Sum(o => o.GetTensorSizeInBytes()));
        _tensors = new Tensor[_wanted.Length];
        for (var at = 0; at < _wanted.Length; at++)
            _tensors[at] = FromOrt(_wanted[at], _outputs[at]);
        if (_requests.Count == 1)
            return;
        CheckRows();
        _begins = Array.ConvertAll(_tensors, Begins);
    }

    /// <summary>The outputs of one request, in the order that it asked for.</summary>
    /// <exception cref="ResultTooLargeException">They pass what the model may answer with.</exception>
    public Tensor[] OutputsOf(int index)
    {
        var request = _requests[index];
        var outputs = request.Outputs.Count == 0
            ? _model.Outputs.Select(o => RowsOf(o.Name, index) with { AsBinary = request.AllAsBinary }).ToArray()
            : request.Outputs.Select(asked => Answer(RowsOf(asked.Name, index), asked)).ToArray();
        CheckSize(outputs.Sum(o => (long)o.Data.Length));
        return outputs;
    }

    public void Dispose()
    {
        _outputs?.Dispose();
        foreach (var input in _inputs)
            input?.Dispose();
    }

    private Tensor Answer(Tensor tensor, RequestedOutput asked)
    {
        if (asked.Classes > 0)
            tensor = Classification.Of(tensor, asked.Classes, _model.Labels.GetValueOrDefault(asked.Name) ?? []);
        return tensor with { AsBinary = asked.AsBinary };
    }

    private static string[] Wanted(LoadedModel model, IReadOnlyList<InferenceRequest> requests)
    {
        if (requests.Any(r => r.Outputs.Count == 0))
            return model.OutputNames;
        return requests.SelectMany(r => r.Outputs).Select(o => o.Name).Distinct().ToArray();
    }

    private OrtValue ToOrt(TensorSpec spec)
    {
        var parts = _requests.Select(r => InputOf(r, spec.Name)).ToArray();
        var shape = parts[0].Shape;
        if (parts.Length > 1)
            shape = [parts.Sum(p => p.Shape[0]), .. shape.AsSpan(1)];
        return spec.Datatype == Datatype.Bytes ? ToOrtStrings(parts, shape) : Join(parts, shape);
    }

    /// <summary>Into memory of the runtime's own, also a single part: how some operators group a sum depends on how its memory is aligned, and equal requests are to get equal answers.</summary>
    private static OrtValue Join(Tensor[] parts, long[] shape)
    {
        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, parts[0].Datatype.ToElementType(), shape);
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
        if (datatype != Datatype.Bytes && value.GetTensorSizeInBytes() is > int.MaxValue and var size)
            throw new ResultTooLargeException(size, int.MaxValue);
        if (datatype == Datatype.Bytes)
            return new Tensor(name, datatype, info.Shape, FromOrtStrings(value, Tensor.Count(info.Shape)));
        return new Tensor(name, datatype, info.Shape, info.ElementCount == 0 ? default : new OrtMemory(value).Memory);
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

    private static bool IsText(OrtValue value) => value.IsTensor && value.GetTensorTypeAndShape().IsString;

    private void CheckSize(long bytes)
    {
        if (bytes > _model.Config.MaxOutputBytes)
            throw new ResultTooLargeException(bytes, _model.Config.MaxOutputBytes);
    }

    private void CheckRows()
    {
        var rows = _requests.Sum(RowsOf);
        foreach (var tensor in _tensors)
        {
            if (tensor.Shape is not [var first, ..] || first != rows)
                throw new UnevenBatchException(tensor.Name, rows);
        }
    }

    private Tensor RowsOf(string output, int index)
    {
        var at = Array.IndexOf(_wanted, output);
        var tensor = _tensors[at];
        if (_requests.Count == 1)
            return tensor;
        return tensor with { Shape = [RowsOf(_requests[index]), .. tensor.Shape.AsSpan(1)], Data = tensor.Data[_begins[at][index].._begins[at][index + 1]] };
    }

    private int[] Begins(Tensor tensor)
    {
        var begins = new int[_requests.Count + 1];
        var elements = Tensor.Count(tensor.Shape.AsSpan(1));
        for (var at = 0; at < _requests.Count; at++)
            begins[at + 1] = End(tensor, begins[at], RowsOf(_requests[at]) * elements);
        return begins;
    }

    /// <summary>Where so many elements end.</summary>
    private static int End(Tensor tensor, int begin, long elements)
    {
        if (tensor.Datatype != Datatype.Bytes)
            return checked(begin + (int)(elements * tensor.Datatype.ElementSize()));
        for (; elements > 0; elements--)
            begin += 4 + (int)BinaryPrimitives.ReadUInt32LittleEndian(tensor.Data.Span[begin..]);
        return begin;
    }

    private static long RowsOf(InferenceRequest request) => request.Inputs[0].Shape[0];

    private static Tensor InputOf(InferenceRequest request, string name)
    {
        foreach (var input in request.Inputs)
        {
            if (input.Name == name)
                return input;
        }
        throw new InvalidDataException($"The request has no input {name}.");
    }

    /// <summary>The runtime's memory as ours, as long as the value lives.</summary>
    private sealed unsafe class OrtMemory : MemoryManager<byte>
    {
        private readonly byte* _start;
        private readonly int _length;

        public OrtMemory(OrtValue value)
        {
            var bytes = value.GetTensorMutableRawData();
            _start = (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetReference(bytes)); // native, so it never moves
            _length = bytes.Length;
        }

        public override Span<byte> GetSpan() => new(_start, _length);

        public override MemoryHandle Pin(int elementIndex = 0) => new(_start + elementIndex);

        public override void Unpin() { }

        protected override void Dispose(bool disposing) { }
    }
}

/// <summary>An output of a batch can't be told apart by rows.</summary>
internal sealed class UnevenBatchException(string output, long rows)
    : Exception($"Output {output} has not the {rows} rows that went in, so requests to this model can't share a run.");

/// <summary>The outputs are larger than the model may answer with.</summary>
internal sealed class ResultTooLargeException(long bytes, long most)
    : Exception($"The outputs take {bytes} bytes, and {most} are the most (max_output_bytes of the model).");
