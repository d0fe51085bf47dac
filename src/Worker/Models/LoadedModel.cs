using Microsoft.ML.OnnxRuntime;
using Millrace.Hosting.Inference;
using Millrace.Storage.Announcements;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Models;

/// <summary>One version of a model in memory, ready to run.</summary>
internal sealed class LoadedModel : IDisposable
{
    private int _disposing;

    private LoadedModel(ModelSource source, ModelConfig config, InferenceSession session)
    {
        (Name, Version, Hash, Session) = (source.Version.Name, source.Version.Version, source.Hash, session);
        (Fingerprint, Bytes, Labels) = (source.Fingerprint, source.Bytes, source.Labels);
        Inputs = session.InputMetadata.Select(m => OrtTypes.ToSpec("input", m.Key, m.Value)).ToArray();
        Outputs = session.OutputMetadata.Select(m => OrtTypes.ToSpec("output", m.Key, m.Value)).ToArray();
        InputNames = Inputs.Select(i => i.Name).ToArray();
        OutputNames = Outputs.Select(o => o.Name).ToArray();
        Config = config;
        Instances = config.Instances;
        var hasRows = BatchDimension.IsVariable(session) && (config.SaysMaxBatchSize || !BatchDimension.IsDoubtful(session));
        MaxBatchSize = hasRows ? config.MaxBatchSize : 0;
    }

    public string Name { get; }
    public string Version { get; }

    /// <summary>SHA-256 of the file, lower-case hex.</summary>
    public string Hash { get; }

    /// <summary>Of all files that it was made of.</summary>
    public string Fingerprint { get; }

    /// <summary>Of its file and its external data.</summary>
    public long Bytes { get; }
    public InferenceSession Session { get; }
    public IReadOnlyList<TensorSpec> Inputs { get; }
    public IReadOnlyList<TensorSpec> Outputs { get; }
    public string[] InputNames { get; }
    public string[] OutputNames { get; }
    public int Instances { get; }
    public ModelConfig Config { get; }

    /// <summary>An input without elements would end the process.</summary>
    public bool HasFatalNodes { get; private init; }

    /// <summary>For an output, the names of its classes by index; none where no file has them.</summary>
    public IReadOnlyDictionary<string, string[]> Labels { get; }

    /// <summary>Most rows in one run; 0 when requests run one by one.</summary>
    public int MaxBatchSize { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>Loads what was read and checked, and warms it up.</summary>
    /// <exception cref="OnnxRuntimeException">ONNX Runtime does not take the file.</exception>
    /// <exception cref="InvalidDataException">The model has an input or output that is no tensor of the protocol's types, labels for an output that it has not, or does not run.</exception>
    public static LoadedModel Load(ModelSource source, ModelConfig config)
    {
        using var options = new SessionOptions
        {
            IntraOpNumThreads = config.Threads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, // what fails is reported by us, once
        };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"); // spinning doubles the CPU of small models on shared cores
        options.AddSessionConfigEntry("session.load_model_format", "ONNX"); // its other format is not looked through for what lies outside
        RunArena.Use(options);
        options.AddSessionConfigEntry("session.use_device_allocator_for_initializers", "1"); // weights outside the arena, so that they go back with the session
        var session = OrtTypes.Open(() => source.CopiedFile is { } file ? new InferenceSession(file, options) : new InferenceSession(source.Model, options));
        try
        {
            var model = new LoadedModel(source, config, session) { HasFatalNodes = FatalNodes.AreIn(source.Model) };
            if (model.Labels.Keys.Except(model.OutputNames).FirstOrDefault() is { } strange)
                throw new InvalidDataException($"model.json: /labels names the output {ModelFile.Show(strange)}; the model has {string.Join(", ", model.OutputNames)}");
            WarmUp.Run(model);
            return model;
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
        Settings = Config.Announce(),
    };

    /// <summary>Once, whoever comes first: its batcher as it retires, or the end of the process.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposing, 1) != 0)
            return;
        Session.Dispose();
        IsDisposed = true;
    }

    private static AnnouncedTensor Announce(TensorSpec spec) => new(spec.Name, spec.Datatype.Name(), spec.Shape);
}
