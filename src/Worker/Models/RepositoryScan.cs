using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Millrace.Storage.Models;

namespace Millrace.Worker.Models;

/// <summary>Looks through the repository's folder. It opens no model, so it costs little.</summary>
internal sealed class RepositoryScan(ILogger logger)
{
    /// <summary>Files of a version that are watched.</summary>
    private const int MostFiles = 1000;
    private const int MostDepth = 4;
    private const long MostConfigBytes = 1 << 20;

    private readonly HashSet<string> _refused = [];
    private readonly Dictionary<string, FoundModel> _read = [];

    /// <param name="root">Links resolved.</param>
    /// <exception cref="IOException">The folder can't be read now: it tells nothing of what is gone.</exception>
    public IReadOnlyList<FoundModel> Run(string root)
    {
        var models = new List<FoundModel>();
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase); // what differs in case only is taken for the same by people, and by other file systems
        foreach (var folder in Directory.EnumerateDirectories(root).Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(folder);
            Add(models, names, name, folder, Path.Combine(folder, "model.json"), root, Versions(name, folder));
        }
        foreach (var file in Directory.EnumerateFiles(root, "*.onnx").Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileNameWithoutExtension(file);
            Add(models, names, name, root, Path.Combine(root, $"{name}.json"), root, [(Version: "1", File: file, Folder: null)]);
        }
        return models;
    }

    private void Add(
        List<FoundModel> models, HashSet<string> names, string name, string folder, string settings, string root, IReadOnlyList<(string Version, string File, string? Folder)> versions)
    {
        if (versions.Count == 0)
            return;
        if (!ModelNames.IsModel(name) || !names.Add(name))
        {
            if (_refused.Add(name))
                logger.ModelNameRefused(ModelFile.Show(name));
            return;
        }
        var model = ReadConfig(name, settings, root);
        models.Add(model with { Versions = versions.Select(v => Look(name, v.Version, v.File, v.Folder, folder, model.Config)).ToArray() });
    }

    private static (string Version, string File, string? Folder)[] Versions(string name, string folder)
    {
        if (name.Length == 0)
            return [];
        try
        {
            return Directory.EnumerateDirectories(folder).Where(v => ModelNames.IsVersion(Path.GetFileName(v)))
                .Select(v => (Version: Path.GetFileName(v), File: Path.Combine(v, "model.onnx"), Folder: (string?)v))
                .Where(v => FileStat.Of(v.File) is not null || new FileInfo(v.File).LinkTarget is not null)
                .OrderBy(v => v.Version.Length).ThenBy(v => v.Version, StringComparer.Ordinal).ToArray();
        }
        catch (DirectoryNotFoundException) { return []; } // gone just now
        catch (UnauthorizedAccessException) { return []; } // somebody else's, as lost+found
    }

    /// <summary>Reads <c>model.json</c> when it is new or changed.</summary>
    private FoundModel ReadConfig(string name, string file, string root)
    {
        var stamp = new StringBuilder();
        var exists = Stamp(stamp, file, "") is not null;
        if (_read.TryGetValue(file, out var before) && before.Settings == stamp.ToString())
            return before;
        var (config, fault) = (new ModelConfig(), (string?)null);
        try
        {
            if (exists)
            {
                using var json = ModelFile.Open(file, root, "model.json", MostConfigBytes);
                config = ModelConfigReader.Read(json.ReadAll());
            }
        }
        catch (Exception error) when (error is InvalidDataException or IOException) { fault = error.Message; }
        return _read[file] = new FoundModel(name, config, stamp.ToString(), fault, []);
    }

    private static FoundVersion Look(string name, string version, string file, string? folder, string modelFolder, ModelConfig config)
    {
        var files = new StringBuilder();
        var writtenAt = DateTimeOffset.MinValue;
        var left = MostFiles;
        if (folder is not null)
            Look(folder, 0);
        else
        {
            Note(file);
            Note(Path.Combine(modelFolder, Checksums.Name));
        }
        foreach (var label in config.Labels.Values)
            Note(Path.Combine(modelFolder, label));
        return new FoundVersion(name, version, file, folder, modelFolder, files.ToString(), writtenAt);

        void Look(string inside, int depth)
        {
            foreach (var entry in Enumerate(inside))
            {
                if (left-- <= 0)
                    return;
                if (Note(entry) == FileKind.Folder && depth < MostDepth && new DirectoryInfo(entry).LinkTarget is null)
                    Look(entry, depth + 1);
            }
        }

        FileKind? Note(string path)
        {
            if (Stamp(files, path, path) is not { } stat)
                return null;
            if (stat.ModifiedAt > writtenAt && stat.Kind == FileKind.Regular)
                writtenAt = stat.ModifiedAt;
            return stat.Kind;
        }
    }

    private static string[] Enumerate(string folder)
    {
        try { return [.. Directory.EnumerateFileSystemEntries(folder).Order(StringComparer.Ordinal)]; }
        catch (DirectoryNotFoundException) { return []; }
        catch (UnauthorizedAccessException) { return []; }
    }

    private static FileStat? Stamp(StringBuilder stamp, string path, string name)
    {
        var stat = FileStat.Of(path);
        if (stat is { } s)
            stamp.Append(CultureInfo.InvariantCulture, $"{name}:{s.Kind}:{(s.Kind == FileKind.Folder ? 0 : s.Size)}:{(s.Kind == FileKind.Folder ? 0 : s.Modified)}:{s.Inode}:{s.Links};");
        return stat;
    }
}
