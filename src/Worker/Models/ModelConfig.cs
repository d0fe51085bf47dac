using System.ComponentModel.DataAnnotations;
using Millrace.Storage.Announcements;

namespace Millrace.Worker.Models;

/// <summary>The optional file <c>models/{name}/model.json</c>. Ranges are those of the values, or of the elements of a list.</summary>
internal sealed class ModelConfig
{
    /// <summary>Most rows in one run; 0 turns batching off. Only a model whose first dimension is variable everywhere is ever batched; one where that dimension's names speak against it, only if this is set.</summary>
    [Range(0, 65_536)]
    public int MaxBatchSize
    {
        get;
        set => (field, SaysMaxBatchSize) = (value, true);
    } = 64;

    /// <summary>It is not the default.</summary>
    internal bool SaysMaxBatchSize { get; private set; }

    /// <summary>Runs at once. Default: as many as cores, at most 4.</summary>
    [Range(1, 64)]
    public int Instances { get; set; } = Math.Min(Environment.ProcessorCount, 4);

    /// <summary>Threads of one run; instances × threads should not pass the cores.</summary>
    [Range(1, 64)]
    public int Threads { get; set; } = 1;

    /// <summary>Numbers of rows at which a batch leaves at once, while <see cref="MaxQueueDelayMicroseconds"/> would let it wait for more.</summary>
    [Range(1, 65_536)]
    public int[] PreferredBatchSizes { get; set; } = [];

    /// <summary>How long a request waits for company although an instance is free. 0: not at all.</summary>
    [Range(0, 60_000_000)]
    public long MaxQueueDelayMicroseconds { get; set; }

    /// <summary>Most bytes of all outputs of one request; what passes it fails as <c>result_too_large</c>.</summary>
    [Range(1, int.MaxValue)]
    public long MaxOutputBytes { get; set; } = 256 << 20;

    /// <summary>Which versions are served: <c>{"all": {}}</c>, <c>{"latest": {"num_versions": 2}}</c> or <c>{"specific": {"versions": [1, 3]}}</c>.</summary>
    public VersionPolicy VersionPolicy { get; set; } = VersionPolicy.All;

    /// <summary>For an output, the file with the names of its classes, one a line, below the model's folder.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; set; } = new Dictionary<string, string>();

    /// <summary>Runs with zeros before a version serves. A model that can't run on zeros is served all the same, unless this is set. 0: none. Default 1.</summary>
    [Range(0, 1000)]
    public int? WarmUp { get; set; }

    /// <summary>Shares of the calls that name no version, by version, as <c>{"1": 90, "2": 10}</c>. Empty: all go to the newest.</summary>
    [Range(0, 10_000)]
    public IReadOnlyDictionary<string, int> Traffic { get; set; } = new Dictionary<string, int>();

    /// <summary>A caller stays with the version that its share fell to.</summary>
    public bool Sticky { get; set; }

    /// <summary>The request header by which a caller is told from another; empty: the caller's key.</summary>
    public string StickyHeader { get; set; } = "";

    /// <summary>Whether a version that was loaded with the other's settings may go on with these.</summary>
    public bool RunsAs(ModelConfig other) =>
        (MaxBatchSize, Instances, Threads, MaxQueueDelayMicroseconds, MaxOutputBytes)
            == (other.MaxBatchSize, other.Instances, other.Threads, other.MaxQueueDelayMicroseconds, other.MaxOutputBytes)
        && PreferredBatchSizes.AsSpan().SequenceEqual(other.PreferredBatchSizes) && Labels.Count == other.Labels.Count
        && Labels.All(l => other.Labels.TryGetValue(l.Key, out var file) && file == l.Value);

    public AnnouncedSettings Announce() => new()
    {
        Threads = Threads,
        PreferredBatchSizes = PreferredBatchSizes,
        MaxQueueDelayMicroseconds = MaxQueueDelayMicroseconds,
        VersionPolicy = VersionPolicy.Json,
        Traffic = Traffic,
        IsSticky = Sticky,
        StickyHeader = StickyHeader,
    };
}
