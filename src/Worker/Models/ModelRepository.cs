using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Millrace.Hosting.Configuration;
using Millrace.Storage.Announcements;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Models;

/// <summary>Finds and loads <c>{name}/{version}/model.onnx</c> below the repository's folder.</summary>
internal sealed partial class ModelRepository(ModelsOptions options, ILogger<ModelRepository> logger)
{
    /// <summary>Loads all there is. A version that can't be loaded is reported and left out.</summary>
    /// <exception cref="StartupException">There is no folder, no model in it, or none that loads.</exception>
    public (IReadOnlyList<LoadedModel> Loaded, IReadOnlyList<AnnouncedModel> Broken) LoadAll()
    {
        OrtSilence.Keep();
        var root = Path.GetFullPath(options.Path);
        if (!Directory.Exists(root))
            throw new StartupException($"Millrace:Models:Path: there is no folder {root}");
        var wanted = options.Names.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).ToHashSet();
        var found = Find(root).ToArray();
        if (wanted.Except(found.Select(f => f.Name)).Order().ToArray() is { Length: > 0 } missing)
            throw new StartupException($"Millrace:Models:Names: there is no model {string.Join(", ", missing)} in {root}; it has {string.Join(", ", found.Select(f => f.Name).Distinct())}");
        var loaded = new List<LoadedModel>();
        var broken = new List<AnnouncedModel>();
        foreach (var (name, version, file) in found.Where(f => wanted.Count == 0 || wanted.Contains(f.Name)))
            Load(name, version, file, loaded, broken);
        if (loaded.Count == 0 && broken.Count == 0)
            throw new StartupException($"Millrace:Models:Path: {root} has no model; expected {{name}}/{{version}}/model.onnx, as in digits/1/model.onnx");
        if (loaded.Count == 0)
        {
            throw new StartupException($"Millrace:Models:Path: no model in {root} can be loaded: "
                + string.Join("; ", broken.Select(b => $"{b.Name}/{b.Version}: {b.Reason}")));
        }
        return (loaded, broken);
    }

    private IEnumerable<(string Name, string Version, string File)> Find(string root)
    {
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase); // what differs in case only is taken for the same by people, and by other file systems
        foreach (var folder in Directory.EnumerateDirectories(root).Order(StringComparer.Ordinal))
        {
            var versions = Directory.EnumerateDirectories(folder)
                .Select(v => (Version: Path.GetFileName(v), File: Path.Combine(v, "model.onnx")))
                .Where(v => VersionName().IsMatch(v.Version) && File.Exists(v.File))
                .OrderBy(v => v.Version.Length).ThenBy(v => v.Version, StringComparer.Ordinal).ToList();
            var name = Path.GetFileName(folder);
            if (versions.Count > 0 && (!ModelName().IsMatch(name) || name == "stats" || !names.Add(name))) // /v2/models/stats means all models
                logger.ModelNameRefused(name);
            else
            {
                foreach (var (version, file) in versions)
                    yield return (name, version, file);
            }
        }
    }

    private void Load(string name, string version, string file, List<LoadedModel> loaded, List<AnnouncedModel> broken)
    {
        try
        {
            var config = ModelConfig.Read(Path.Combine(Path.GetDirectoryName(file)!, "..", "model.json"));
            var model = LoadedModel.Load(name, version, file, config);
            loaded.Add(model);
            logger.ModelLoaded(name, version, model.Instances, model.MaxBatchSize);
        }
        catch (Exception error) when (error is OnnxRuntimeException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            var reason = RunFailure.Clean(error.Message);
            broken.Add(new AnnouncedModel { Name = name, Version = version, State = ModelState.Unavailable, Reason = reason });
            logger.ModelBroken(name, version, reason);
        }
    }

    [GeneratedRegex(@"^(?=.*[A-Za-z0-9])[A-Za-z0-9._-]{1,128}\z")]
    private static partial Regex ModelName();

    [GeneratedRegex(@"^[1-9][0-9]{0,17}\z")]
    private static partial Regex VersionName();
}
