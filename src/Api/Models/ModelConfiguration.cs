using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Http;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Models;

/// <summary>How a version is run.</summary>
/// <param name="VersionPolicy">As <c>{"latest": {"num_versions": 1}}</c>.</param>
/// <param name="MaxBatchSize">0: requests run one by one.</param>
/// <param name="DynamicBatching">Null when requests are not batched.</param>
/// <remarks>Source: Triton's ModelConfig, as its HTTP interface writes it.</remarks>
public sealed record ModelConfiguration(
    string Name, string Platform, string Backend, JsonElement VersionPolicy, int MaxBatchSize, IReadOnlyList<ConfiguredTensor> Input, IReadOnlyList<ConfiguredTensor> Output,
    IReadOnlyList<InstanceGroup> InstanceGroup, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DynamicBatching? DynamicBatching,
    string DefaultModelFilename, IReadOnlyDictionary<string, ConfigurationParameter> Parameters)
{
    internal static ModelConfiguration From(ServedVersion version) => new(
        version.Model, "onnxruntime_onnx", "onnxruntime", Parse(version.Settings.VersionPolicy), version.MaxBatchSize,
        version.Inputs.Select(i => ConfiguredTensor.From(i, version.MaxBatchSize > 0)).ToArray(), version.Outputs.Select(o => ConfiguredTensor.From(o, version.MaxBatchSize > 0)).ToArray(),
        [new InstanceGroup(version.Model, "KIND_CPU", version.InstancesPerWorker)],
        version.MaxBatchSize > 0
            ? new DynamicBatching(version.Settings.PreferredBatchSizes, version.Settings.MaxQueueDelayMicroseconds, PriorityLevels, DefaultPriorityLevel)
            : null,
        "model.onnx", new Dictionary<string, ConfigurationParameter>
        {
            ["intra_op_thread_count"] = new(version.Settings.Threads.ToString(CultureInfo.InvariantCulture)),
            ["sha256"] = new(version.Hash),
        });

    private const int PriorityLevels = 9;
    private const int DefaultPriorityLevel = 5;

    private static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}

/// <param name="DataType">As <c>TYPE_FP32</c>; BYTES is <c>TYPE_STRING</c>.</param>
/// <param name="Dims">Without the batch's. It may not be empty: a tensor without further dimensions has <c>[1]</c>, and <see cref="Reshape"/> says so.</param>
public sealed record ConfiguredTensor(
    string Name, string DataType, IReadOnlyList<long> Dims, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Reshape? Reshape)
{
    internal static ConfiguredTensor From(TensorSpec spec, bool isBatched)
    {
        var dims = isBatched ? spec.Shape[1..] : spec.Shape;
        var type = spec.Datatype == Datatype.Bytes ? "TYPE_STRING" : $"TYPE_{spec.Datatype.Name()}";
        return dims.Length == 0 ? new ConfiguredTensor(spec.Name, type, [1], new Reshape([])) : new ConfiguredTensor(spec.Name, type, dims, null);
    }
}

/// <param name="Shape">What the model really has, without the batch's dimension.</param>
public sealed record Reshape(IReadOnlyList<long> Shape);

/// <param name="Count">Runs that a worker makes at once.</param>
public sealed record InstanceGroup(string Name, string Kind, int Count);

public sealed record DynamicBatching(IReadOnlyList<int> PreferredBatchSize, long MaxQueueDelayMicroseconds, int PriorityLevels, int DefaultPriorityLevel);

public sealed record ConfigurationParameter(string StringValue);

internal static class ReadConfiguration
{
    public static Task HandleAsync(HttpContext context, ModelCatalog catalog, string model) =>
        JsonBody.WriteAsync(context, ModelConfiguration.From(catalog.Loaded(context.Tenant(), model, ModelEndpoints.VersionOf(context))), ApiJson.Default.ModelConfiguration);
}
