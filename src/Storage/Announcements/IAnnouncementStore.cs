using System.Text.Json.Serialization;

namespace Millrace.Storage.Announcements;

/// <summary>What workers say of themselves and of their models, kept so that the API knows models also while no worker is alive.</summary>
public interface IAnnouncementStore
{
    /// <summary>Replaces all that this worker announced before.</summary>
    Task AnnounceAsync(string worker, IReadOnlyList<AnnouncedModel> models, CancellationToken cancellation);

    /// <summary>Tells that the worker is alive.</summary>
    Task BeatAsync(string worker, CancellationToken cancellation);

    /// <summary>Tells that the worker left in order. Its models stay known, for 30 days, while no live worker has them.</summary>
    Task LeaveAsync(string worker, CancellationToken cancellation);

    /// <summary>The models of all workers that were seen since then; and each model that none of them has, as the worker had it that was seen last with it.</summary>
    Task<Announcements> ReadAsync(TimeSpan aliveWithin, CancellationToken cancellation);
}

/// <param name="LiveWorkers">Workers seen lately.</param>
public sealed record Announcements(int LiveWorkers, IReadOnlyList<AnnouncedModel> Models);

/// <summary>One version of a model as a worker has it.</summary>
public sealed record AnnouncedModel
{
    public required string Name { get; init; }

    /// <summary>A positive whole number in digits.</summary>
    public required string Version { get; init; }
    public required ModelState State { get; init; }

    /// <summary>Why it is not ready; of a ready one, why it is not what lies in the repository now. Else empty.</summary>
    public string Reason { get; init; } = "";

    /// <summary>SHA-256 of the model file, lower-case hex.</summary>
    public string Hash { get; init; } = "";
    public IReadOnlyList<AnnouncedTensor> Inputs { get; init; } = [];
    public IReadOnlyList<AnnouncedTensor> Outputs { get; init; } = [];

    /// <summary>Runs that the worker makes at once.</summary>
    public int Instances { get; init; }

    /// <summary>Most rows in one run; 0 when the model is not batched.</summary>
    public int MaxBatchSize { get; init; }

    /// <summary>How the version is run, and how calls are shared among the versions.</summary>
    public AnnouncedSettings Settings { get; init; } = new();

    /// <summary>The newest wish for this model (<see cref="Models.ModelWish.Revision"/>) that this worker had read when it announced this; 0 for none.</summary>
    public long Wish { get; init; }

    /// <summary>No live worker has this model: its workers may have been scaled to zero.</summary>
    [JsonIgnore]
    public bool IsRemembered { get; init; }
}

/// <summary>What <c>model.json</c> says of a version, as clients may see it.</summary>
public sealed record AnnouncedSettings
{
    /// <summary>Threads of one run.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Numbers of rows at which a batch leaves without waiting for more.</summary>
    public IReadOnlyList<int> PreferredBatchSizes { get; init; } = [];

    /// <summary>How long a request waits for company, in microseconds; 0: not at all.</summary>
    public long MaxQueueDelayMicroseconds { get; init; }

    /// <summary>Which versions are served: <c>{"latest": {"num_versions": 1}}</c>, <c>{"all": {}}</c> or <c>{"specific": {"versions": [1, 3]}}</c>, as JSON.</summary>
    public string VersionPolicy { get; init; } = """{"all":{}}""";

    /// <summary>Shares of the calls that name no version, by version; empty: all go to the newest.</summary>
    public IReadOnlyDictionary<string, int> Traffic { get; init; } = new Dictionary<string, int>();

    /// <summary>The request header whose value decides the version, so that a caller stays on one; empty: the caller's key.</summary>
    public string StickyHeader { get; init; } = "";

    /// <summary>A version keeps a caller: by <see cref="StickyHeader"/> or key, not by chance.</summary>
    public bool IsSticky { get; init; }
}

/// <param name="Datatype">The protocol's name, as FP32.</param>
/// <param name="Shape">-1 marks a variable dimension, the batch's included.</param>
public sealed record AnnouncedTensor(string Name, string Datatype, IReadOnlyList<long> Shape);

/// <summary>The states of the protocol's model repository extension.</summary>
public enum ModelState
{
    Unknown,
    Ready,
    Unavailable,
    Loading,
    Unloading,
}
