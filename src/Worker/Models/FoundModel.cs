namespace Millrace.Worker.Models;

/// <summary>A model as it lies in the repository.</summary>
/// <param name="Settings">What changes when <c>model.json</c> does.</param>
/// <param name="Fault">Why <c>model.json</c> can't be used; null when it can, or there is none.</param>
/// <param name="Versions">Oldest first.</param>
internal sealed record FoundModel(string Name, ModelConfig Config, string Settings, string? Fault, IReadOnlyList<FoundVersion> Versions);

/// <summary>A version as it lies in the repository; nothing of it was read yet.</summary>
/// <param name="Folder">The version's own folder; null where the model is a single file.</param>
/// <param name="Files">What changes when a file of it does: names, sizes and times.</param>
/// <param name="WrittenAt">When one of them was last written.</param>
internal sealed record FoundVersion(string Name, string Version, string File, string? Folder, string ModelFolder, string Files, DateTimeOffset WrittenAt);
