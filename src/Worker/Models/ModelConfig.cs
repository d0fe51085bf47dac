using System.Text.Json;
using System.Text.Json.Serialization;

namespace Millrace.Worker.Models;

/// <summary>The optional file <c>models/{name}/model.json</c>.</summary>
internal sealed class ModelConfig
{
    private const int MostInstances = 64;
    private const int MostRows = 65_536;

    /// <summary>Most rows in one run; 0 turns batching off. Default 64. Only a model whose first dimension is variable everywhere is ever batched.</summary>
    public int MaxBatchSize { get; set; } = 64;

    /// <summary>Runs at once. Default: as many as cores, at most 4.</summary>
    public int Instances { get; set; } = Math.Min(Environment.ProcessorCount, 4);

    /// <summary>Threads of one run. Default 1; instances × threads should not pass the cores.</summary>
    public int Threads { get; set; } = 1;

    /// <summary>Numbers of rows at which a batch leaves at once, while <see cref="MaxQueueDelayMicroseconds"/> would let it wait for more. Default none.</summary>
    public int[] PreferredBatchSizes { get; set; } = [];

    /// <summary>How long a request waits for company although an instance is free. Default 0: not at all.</summary>
    public long MaxQueueDelayMicroseconds { get; set; }

    /// <summary>Most bytes of all outputs of one request; what passes it fails as <c>result_too_large</c>. Default 256 MiB.</summary>
    public long MaxOutputBytes { get; set; } = 256 << 20;

    /// <exception cref="InvalidDataException">The file is not what it should be; the message says why.</exception>
    public static ModelConfig Read(string file)
    {
        if (!File.Exists(file))
            return new ModelConfig();
        try
        {
            var config = JsonSerializer.Deserialize(File.ReadAllBytes(file), ModelConfigJson.Default.ModelConfig)
                ?? throw new InvalidDataException("model.json is null");
            return config.Faults().FirstOrDefault() is { } fault ? throw new InvalidDataException($"model.json: {fault}") : config;
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"model.json: {error.Message}", error);
        }
    }

    private IEnumerable<string> Faults()
    {
        if (MaxBatchSize is < 0 or > MostRows)
            yield return $"max_batch_size is {MaxBatchSize}; it must be from 0 to {MostRows}";
        if (Instances is < 1 or > MostInstances)
            yield return $"instances is {Instances}; it must be from 1 to {MostInstances}";
        if (Threads is < 1 or > MostInstances)
            yield return $"threads is {Threads}; it must be from 1 to {MostInstances}";
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true)]
[JsonSerializable(typeof(ModelConfig))]
internal sealed partial class ModelConfigJson : JsonSerializerContext;
