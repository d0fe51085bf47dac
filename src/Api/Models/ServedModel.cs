using Millrace.Hosting.Inference;
using Millrace.Storage.Announcements;

namespace Millrace.Api.Models;

/// <summary>One version of a model as the workers announced it.</summary>
/// <param name="Instances">Runs that the live workers make at once; 0 when there is none.</param>
/// <param name="Workers">Live workers that have it ready.</param>
internal sealed record ServedVersion(
    string Model, string Version, ModelState State, string Reason, string Hash, IReadOnlyList<TensorSpec> Inputs, IReadOnlyList<TensorSpec> Outputs,
    int Instances, int Workers, int MaxBatchSize)
{
    public bool IsReady => State == ModelState.Ready;

    public static ServedVersion From(IReadOnlyList<AnnouncedModel> same)
    {
        var best = same.FirstOrDefault(a => a.State == ModelState.Ready) ?? same[0]; // one ready worker is enough
        return new ServedVersion(best.Name, best.Version, best.State, best.Reason, best.Hash, best.Inputs.Select(Spec).ToArray(),
            best.Outputs.Select(Spec).ToArray(), same.Where(IsLive).Sum(a => a.Instances), same.Count(IsLive), best.MaxBatchSize);

        static bool IsLive(AnnouncedModel announced) => announced is { State: ModelState.Ready, IsRemembered: false };
    }

    private static TensorSpec Spec(AnnouncedTensor tensor) => Datatypes.TryParse(tensor.Datatype, out var datatype)
        ? new TensorSpec(tensor.Name, datatype, [.. tensor.Shape])
        : throw new InvalidDataException($"A worker announced the datatype {tensor.Datatype}, which is not known here.");
}

/// <param name="Versions">Oldest first.</param>
internal sealed record ServedModel(string Name, IReadOnlyList<ServedVersion> Versions)
{
    /// <summary>The version that serves when none is named.</summary>
    public ServedVersion? Newest { get; } = Versions.LastOrDefault(v => v.IsReady);

    /// <summary>Runs that the live workers make at once.</summary>
    public int Instances { get; } = Versions.Sum(v => v.Instances);

    /// <summary>Live workers that have a version of it ready.</summary>
    public int Workers { get; } = Versions.Max(v => v.Workers);
}
