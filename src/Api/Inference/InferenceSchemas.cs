using System.Text.Json;

namespace Millrace.Api.Inference;

/// <summary>An inference request as the OpenAPI document shows it; <see cref="InferenceReader"/> reads the real one.</summary>
public sealed record InferenceRequestSchema
{
    /// <summary>Comes back unchanged.</summary>
    public string? Id { get; init; }

    /// <summary>Known: priority (1 highest, 0 default) and timeout (microseconds).</summary>
    public IReadOnlyDictionary<string, JsonElement>? Parameters { get; init; }
    public required IReadOnlyList<InputTensorSchema> Inputs { get; init; }

    /// <summary>Which outputs to answer, in this order; all when left out.</summary>
    public IReadOnlyList<RequestedOutputSchema>? Outputs { get; init; }
}

public sealed record InputTensorSchema
{
    public required string Name { get; init; }
    public required IReadOnlyList<long> Shape { get; init; }

    /// <summary>BOOL, INT8 to INT64, UINT8 to UINT64, FP32, FP64 or BYTES.</summary>
    public required string Datatype { get; init; }
    public IReadOnlyDictionary<string, JsonElement>? Parameters { get; init; }

    /// <summary>Numbers, booleans or strings, row-major, flat or nested.</summary>
    public required IReadOnlyList<JsonElement> Data { get; init; }
}

public sealed record RequestedOutputSchema
{
    public required string Name { get; init; }
    public IReadOnlyDictionary<string, JsonElement>? Parameters { get; init; }
}

public sealed record InferenceResponseSchema
{
    public required string ModelName { get; init; }
    public required string ModelVersion { get; init; }
    public string? Id { get; init; }
    public required IReadOnlyList<OutputTensorSchema> Outputs { get; init; }
}

public sealed record OutputTensorSchema
{
    public required string Name { get; init; }
    public required string Datatype { get; init; }
    public required IReadOnlyList<long> Shape { get; init; }
    public required IReadOnlyList<JsonElement> Data { get; init; }
}
