using Microsoft.ML.OnnxRuntime;
using Millrace.Hosting.Inference;

namespace Millrace.Conformance.Tests.Table;

/// <summary>A model of the table in this process, without a server: what it declares, and what it answers.</summary>
internal sealed class TableModel : IDisposable
{
    /// <summary>Run on nothing they end the process, with or without a server.</summary>
    private static readonly string[] FatalWhenEmpty = ["einsum", "gru", "lstm"];

    private readonly InferenceSession _session;

    public TableModel(string folder)
    {
        Name = Path.GetFileName(folder);
        var file = Path.Combine(folder, "1", "model.onnx");
        Opset = OnnxFile.Opset(file);
        HasSettings = File.Exists(Path.Combine(folder, "model.json"));
        using var options = new SessionOptions { IntraOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        _session = new InferenceSession(file, options);
        Inputs = _session.InputMetadata.Select(m => new OpenTensor(m.Key, m.Value)).ToArray();
        Outputs = _session.OutputMetadata.Select(m => new OpenTensor(m.Key, m.Value)).ToArray();
    }

    public string Name { get; }
    public long Opset { get; }

    /// <summary>A model.json of the table does one thing: it turns batching off.</summary>
    public bool HasSettings { get; }
    public IReadOnlyList<OpenTensor> Inputs { get; }
    public IReadOnlyList<OpenTensor> Outputs { get; }

    /// <summary>Requests may share a run: the first dimension is one and the same open number everywhere, and is nowhere else.</summary>
    public bool IsBatched => !HasSettings && Inputs.Count > 0 && Inputs.Concat(Outputs).All(HasRows);

    private bool HasRows(OpenTensor tensor) => tensor.Shape.Count > 0 && tensor.Shape[0].IsOpen && tensor.Shape[0].Name == Inputs[0].Shape[0].Name
        && !tensor.Shape.Skip(1).Any(d => d.Name != "" && d.Name == tensor.Shape[0].Name);

    /// <summary>Null when the model refuses the inputs.</summary>
    public IReadOnlyList<Tensor>? Run(IReadOnlyList<Tensor> inputs)
    {
        if (FatalWhenEmpty.Contains(Name) && inputs.Any(i => i.Data.Length == 0))
            return null;
        var values = inputs.Select(OrtTensors.From).ToArray();
        try
        {
            using var options = new RunOptions();
            using var outputs = _session.Run(options, inputs.Select(i => i.Name).ToArray(), values, _session.OutputNames);
            return Outputs.Zip(outputs, (declared, output) => OrtTensors.ToTensor(declared.Name, output)).ToArray();
        }
        catch (OnnxRuntimeException)
        {
            return null;
        }
        finally
        {
            foreach (var value in values)
                value.Dispose();
        }
    }

    public void Dispose() => _session.Dispose();
}

/// <summary>A tensor as a model declares it, with the names of its open dimensions.</summary>
internal sealed class OpenTensor(string name, NodeMetadata metadata)
{
    public string Name { get; } = name;
    public Datatype Datatype { get; } = metadata.ElementDataType.ToDatatype();
    public IReadOnlyList<OpenDimension> Shape { get; } = metadata.Dimensions.Zip(metadata.SymbolicDimensions, (size, open) => new OpenDimension(size, open)).ToArray();
}

/// <param name="Size">-1 where it is open.</param>
/// <param name="Name">Of an open one; empty where the model gives none.</param>
internal sealed record OpenDimension(int Size, string Name)
{
    public bool IsOpen => Size < 0;
}
