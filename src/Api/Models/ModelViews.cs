using System.Text.Json.Serialization;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Models;

/// <remarks>Source: Open Inference Protocol, server metadata.</remarks>
public sealed record ServerMetadata(string Name, string Version, IReadOnlyList<string> Extensions);

public sealed record LiveStatus(bool Live);

public sealed record ReadyStatus(bool Ready);

public sealed record ModelReadiness(string Name, bool Ready);

public sealed record ModelList(IReadOnlyList<string> Models);

/// <remarks>Source: Open Inference Protocol, model metadata.</remarks>
public sealed record ModelMetadata(
    string Name, IReadOnlyList<string> Versions, string Platform, IReadOnlyList<TensorMetadata> Inputs, IReadOnlyList<TensorMetadata> Outputs,
    IReadOnlyDictionary<string, string> Properties)
{
    internal static ModelMetadata From(ServedModel model, ServedVersion version) => new(
        model.Name, model.Versions.Where(v => v.IsReady).Select(v => v.Version).ToArray(), "onnxruntime_onnx",
        version.Inputs.Select(TensorMetadata.From).ToArray(), version.Outputs.Select(TensorMetadata.From).ToArray(),
        new Dictionary<string, string>
        {
            ["version"] = version.Version,
            ["sha256"] = version.Hash,
            ["max_batch_size"] = version.MaxBatchSize.ToString(System.Globalization.CultureInfo.InvariantCulture),
        });
}

/// <param name="Shape">-1 marks a variable dimension, the batch's included.</param>
public sealed record TensorMetadata(string Name, string Datatype, IReadOnlyList<long> Shape)
{
    internal static TensorMetadata From(TensorSpec spec) => new(spec.Name, spec.Datatype.Name(), spec.Shape);
}

/// <remarks>Source: Triton's model repository extension.</remarks>
public sealed record IndexEntry(
    string Name, string Version, string State, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Reason)
{
    internal static IndexEntry From(ServedVersion version) => new(
        version.Model, version.Version, Enum.GetName(version.State)!.ToUpperInvariant(), version.IsReady ? version.Fault : version.Reason);
}
