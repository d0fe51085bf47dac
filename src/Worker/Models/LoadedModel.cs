using System.Security.Cryptography;
using Microsoft.ML.OnnxRuntime;
using Millrace.Hosting.Inference;
using Millrace.Storage.Announcements;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Models;

/// <summary>One version of a model in memory, ready to run.</summary>
internal sealed class LoadedModel : IDisposable
{
    private LoadedModel(string name, string version, string hash, ModelConfig config, InferenceSession session)
    {
        (Name, Version, Hash, Session) = (name, version, hash, session);
        Inputs = session.InputMetadata.Select(m => OrtTypes.ToSpec("input", m.Key, m.Value)).ToArray();
        Outputs = session.OutputMetadata.Select(m => OrtTypes.ToSpec("output", m.Key, m.Value)).ToArray();
        InputNames = Inputs.Select(i => i.Name).ToArray();
        OutputNames = Outputs.Select(o => o.Name).ToArray();
        Config = config;
        Instances = config.Instances;
        var rowsEverywhere = Inputs.Concat(Outputs).All(t => t.Shape is [-1, ..]);
        MaxBatchSize = rowsEverywhere ? config.MaxBatchSize : 0;
    }

    public string Name { get; }
    public string Version { get; }

    /// <summary>SHA-256 of the file, lower-case hex.</summary>
    public string Hash { get; }
    public InferenceSession Session { get; }
    public IReadOnlyList<TensorSpec> Inputs { get; }
    public IReadOnlyList<TensorSpec> Outputs { get; }
    public string[] InputNames { get; }
    public string[] OutputNames { get; }
    public int Instances { get; }
    public ModelConfig Config { get; }

    /// <summary>For an output, the names of its classes by index; none where no file has them.</summary>
    public IReadOnlyDictionary<string, string[]> Labels { get; init; } = new Dictionary<string, string[]>();

    /// <summary>Most rows in one run; 0 when requests run one by one.</summary>
    public int MaxBatchSize { get; private set; }

    /// <summary>Reads the file once, so that what is hashed is what runs.</summary>
    /// <exception cref="OnnxRuntimeException">ONNX Runtime does not take the file.</exception>
    /// <exception cref="InvalidDataException">The model has an input or output that is no tensor of the protocol's types.</exception>
    public static LoadedModel Load(string name, string version, string file, ModelConfig config)
    {
        var bytes = File.ReadAllBytes(file);
        using var options = new SessionOptions
        {
            IntraOpNumThreads = config.Threads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, // what fails is reported by us, once
        };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"); // spinning doubles the CPU of small models on shared cores
        var session = new InferenceSession(bytes, options);
        try
        {
            return new LoadedModel(name, version, Convert.ToHexStringLower(SHA256.HashData(bytes)), config, session);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>The outputs' first dimension turned out not to be the rows of the inputs.</summary>
    public void StopBatching() => MaxBatchSize = 0;

    public AnnouncedModel Announce() => new()
    {
        Name = Name,
        Version = Version,
        State = ModelState.Ready,
        Hash = Hash,
        Inputs = Inputs.Select(Announce).ToArray(),
        Outputs = Outputs.Select(Announce).ToArray(),
        Instances = Instances,
        MaxBatchSize = MaxBatchSize,
    };

    public void Dispose() => Session.Dispose();

    private static AnnouncedTensor Announce(TensorSpec spec) => new(spec.Name, spec.Datatype.Name(), spec.Shape);
}
