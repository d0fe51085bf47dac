using System.Text.Json;

namespace Millrace.Api.Inference;

/// <summary>An inference request as the OpenAPI document shows it; <see cref="InferenceReader"/> reads the real one. Tensors in binary follow the JSON, in the order of the inputs;
/// the header Inference-Header-Content-Length then says how many bytes the JSON has. 0: the body is the tensor of the model's one input.</summary>
public sealed record InferenceRequestSchema
{
    /// <summary>Comes back unchanged.</summary>
    public string? Id { get; init; }

    /// <summary>Known: priority (1 highest, 0 default), timeout (microseconds) and binary_data_output (boolean: answer in binary where an output does not say it itself).</summary>
    public IReadOnlyDictionary<string, JsonElement>? Parameters { get; init; }
    public required IReadOnlyList<InputTensorSchema> Inputs { get; init; }

    /// <summary>Which outputs to answer, in this order; all when left out.</summary>
    public IReadOnlyList<RequestedOutputSchema>? Outputs { get; init; }
}

public sealed record InputTensorSchema
{
    public required string Name { get; init; }
    public required IReadOnlyList<long> Shape { get; init; }

    /// <summary>BOOL, INT8 to INT64, UINT8 to UINT64, FP32, FP64 or BYTES; in binary also FP16 and BF16.</summary>
    public required string Datatype { get; init; }

    /// <summary>Known: binary_data_size (bytes of this input after the JSON, instead of data).</summary>
    public IReadOnlyDictionary<string, JsonElement>? Parameters { get; init; }

    /// <summary>Numbers, booleans or strings, row-major, flat or nested.</summary>
    public IReadOnlyList<JsonElement>? Data { get; init; }
}

public sealed record RequestedOutputSchema
{
    public required string Name { get; init; }

    /// <summary>Known: binary_data (boolean) and classification (so many of the highest values as "value:index" or "value:index:label").</summary>
    public IReadOnlyDictionary<string, JsonElement>? Parameters { get; init; }
}

/// <summary>An inference response. Outputs in binary follow the JSON; Inference-Header-Content-Length then says how many bytes the JSON has.</summary>
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

    /// <summary>binary_data_size of an output in binary.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Parameters { get; init; }

    /// <summary>Not of an output in binary.</summary>
    public IReadOnlyList<JsonElement>? Data { get; init; }
}
