using Millrace.Api.Traffic;
using Millrace.Hosting.Inference;
using Millrace.Storage.Announcements;
using Millrace.Storage.Models;

namespace Millrace.Api.Models;

/// <summary>One version of a model as the workers announced it.</summary>
/// <param name="Instances">Runs that the live workers make at once; 0 when there is none.</param>
/// <param name="Workers">Live workers that have it ready.</param>
internal sealed record ServedVersion(
    string Model, string Version, ModelState State, string Reason, string Hash, IReadOnlyList<TensorSpec> Inputs, IReadOnlyList<TensorSpec> Outputs,
    int Instances, int Workers, int MaxBatchSize)
{
    public bool IsReady => State == ModelState.Ready;

    public AnnouncedSettings Settings { get; private init; } = new();

    /// <summary>Runs that one worker makes at once.</summary>
    public int InstancesPerWorker { get; private init; }

    /// <summary>Why it gets no calls that name no version; null when it may.</summary>
    public HeldBackVersion? HeldBack { get; private init; }

    /// <summary>Why a live worker has it not, though another may, or not what lies in its repository now; null when none says so, or it was unloaded on request.</summary>
    public string? Fault { get; private init; }

    public static ServedVersion From(IReadOnlyList<AnnouncedModel> same, IReadOnlyList<HeldBackVersion> held)
    {
        var best = same.FirstOrDefault(a => a.State == ModelState.Ready) ?? same[0]; // one ready worker is enough
        return new ServedVersion(best.Name, best.Version, best.State, best.Reason, best.Hash, best.Inputs.Select(Spec).ToArray(),
            best.Outputs.Select(Spec).ToArray(), same.Where(IsLive).Sum(a => a.Instances), same.Count(IsLive), best.MaxBatchSize)
        {
            Settings = best.Settings,
            InstancesPerWorker = best.Instances,
            HeldBack = held.FirstOrDefault(h => h.Model == best.Name && h.Version == best.Version && h.Hash == best.Hash),
            Fault = same.FirstOrDefault(a => a is { State: ModelState.Unavailable or ModelState.Ready, IsRemembered: false, Reason: not ("" or ModelWish.UnloadedReason) })?.Reason,
        };

        static bool IsLive(AnnouncedModel announced) => announced is { State: ModelState.Ready, IsRemembered: false };
    }

    private static TensorSpec Spec(AnnouncedTensor tensor) => Datatypes.TryParse(tensor.Datatype, out var datatype)
        ? new TensorSpec(tensor.Name, datatype, [.. tensor.Shape])
        : throw new InvalidDataException($"A worker announced the datatype {tensor.Datatype}, which is not known here.");
}

/// <param name="Versions">Oldest first.</param>
internal sealed record ServedModel(string Name, IReadOnlyList<ServedVersion> Versions)
{
    public static ServedModel From(string name, IReadOnlyList<AnnouncedModel> announced, IReadOnlyList<HeldBackVersion> held)
    {
        var live = announced.Where(a => !a.IsRemembered).ToArray();
        return new ServedModel(name, announced.GroupBy(a => a.Version).Select(version => ServedVersion.From(version.ToArray(), held))
            .OrderBy(v => v.Version.Length).ThenBy(v => v.Version, StringComparer.Ordinal).ToArray())
        {
            Wish = live.Length == 0 ? null : live.Min(a => a.Wish),
            IsChanging = live.Any(a => a.State is ModelState.Loading or ModelState.Unloading),
        };
    }

    /// <summary>The newest of those that are ready.</summary>
    public ServedVersion? Newest { get; } = Versions.LastOrDefault(v => v.IsReady && v.HeldBack is null) ?? Versions.LastOrDefault(v => v.IsReady);

    /// <summary>How calls that name no version are shared; null when all go to the newest.</summary>
    public TrafficSplit? Split { get; } = TrafficSplit.Of(Versions);

    /// <summary>The version that serves when none is named; where several do, the one that does most.</summary>
    public ServedVersion? Main => Split?.Main ?? Newest;

    /// <summary>Runs that the live workers make at once.</summary>
    public int Instances { get; } = Versions.Sum(v => v.Instances);

    /// <summary>Live workers that have a version of it ready.</summary>
    public int Workers { get; } = Versions.Max(v => v.Workers);

    /// <summary>The wish that every live worker that knows the model has read; null when there is none that knows it.</summary>
    public long? Wish { get; private init; }

    /// <summary>A live worker is about to load or to unload a version.</summary>
    public bool IsChanging { get; private init; }
}
