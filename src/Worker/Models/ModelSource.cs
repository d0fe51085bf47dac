using System.Security.Cryptography;
using System.Text;

namespace Millrace.Worker.Models;

/// <summary>The bytes of one version as they were checked: what is loaded is this, and not what lies in the repository by then.</summary>
internal sealed class ModelSource : IDisposable
{
    private const long MostLabelBytes = 16 << 20;

    private readonly string? _copy;

    private ModelSource(FoundVersion version, byte[] bytes, string hash, string? copy, Contents contents)
    {
        (Version, Model, Hash, _copy) = (version, bytes, hash, copy);
        (Fingerprint, Bytes, Labels) = (contents.Fingerprint, contents.Bytes, contents.Labels);
    }

    public FoundVersion Version { get; }

    /// <summary>The model's file.</summary>
    public byte[] Model { get; }

    /// <summary>A copy of file and external data, which nobody else may enter; null where there is no external data.</summary>
    public string? CopiedFile => _copy is null ? null : Path.Combine(_copy, "model.onnx");

    /// <summary>SHA-256 of the model's file, lower-case hex.</summary>
    public string Hash { get; }

    /// <summary>Of all that the version is made of.</summary>
    public string Fingerprint { get; }

    /// <summary>Of file and external data.</summary>
    public long Bytes { get; }
    public IReadOnlyDictionary<string, string[]> Labels { get; }

    /// <param name="root">The repository's folder, links resolved.</param>
    /// <exception cref="InvalidDataException">A file is not what it should be.</exception>
    /// <exception cref="IOException">A file can't be read, or not copied.</exception>
    public static ModelSource Read(FoundVersion version, ModelConfig config, string root, ModelsOptions options)
    {
        using var file = ModelFile.Open(version.File, root, Path.GetFileName(version.File), options.MaxModelBytes);
        var bytes = file.ReadAll();
        var contents = new Contents { Bytes = bytes.Length };
        var hash = Convert.ToHexStringLower(SHA256.HashData(bytes));
        contents.Add(hash);
        var sums = Checksums.Read(Path.GetDirectoryName(version.File)!, root);
        sums?.Check(Path.GetFileName(version.File), hash);
        var external = OnnxFile.ExternalTensors(bytes, options.MaxExternalTensors);
        if (version.Folder is { } folder)
            CheckOthers(sums, folder, external);
        contents.Labels = ReadLabels(version, config, contents);
        string? copy = null;
        try
        {
            if (external.Count > 0)
                copy = Copy(version, bytes, external, sums, options.MaxModelBytes, contents);
            return new ModelSource(version, bytes, hash, copy, contents);
        }
        catch
        {
            Delete(copy);
            throw;
        }
    }

    public void Dispose() => Delete(_copy);

    /// <summary>What belongs to the version by its list, and is not read otherwise, must be as listed too.</summary>
    private static void CheckOthers(Checksums? sums, string folder, IReadOnlyList<ExternalTensor> external)
    {
        var read = external.Select(e => e.Location).Append("model.onnx").ToHashSet();
        foreach (var name in sums?.Files.Where(f => !read.Contains(f)) ?? [])
        {
            using var other = ModelFile.Open(Path.Combine(folder, name), Within(folder), name, long.MaxValue);
            sums!.Check(name, other.Hash());
        }
    }

    private static string Copy(FoundVersion version, byte[] model, IReadOnlyList<ExternalTensor> tensors, Checksums? sums, long mostBytes, Contents contents)
    {
        var folder = version.Folder ?? throw new InvalidDataException("the model has external data; put it at {name}/{version}/model.onnx, with its data beside it");
        if (sums is null)
            throw new InvalidDataException($"the model has external data, so a file {Checksums.Name} must list model.onnx and its data (sha256sum writes it)");
        if (tensors.FirstOrDefault(t => !ModelFile.IsBelow(t.Location)) is { } outside)
            throw new InvalidDataException($"the model has external data at {ModelFile.Show(outside.Location)}; it must be a relative path below the version's folder");
        if (tensors.Aggregate(0m, (sum, t) => sum + (t.Length ?? 0)) > mostBytes)
            throw new InvalidDataException($"the model's external data has more than {mostBytes} bytes (Millrace:Models:MaxModelBytes)");
        var copy = Directory.CreateTempSubdirectory("millrace-").FullName; // for our user alone
        try
        {
            File.WriteAllBytes(Path.Combine(copy, "model.onnx"), model);
            foreach (var (location, parts) in tensors.GroupBy(t => t.Location).Select(g => (g.Key, g)))
            {
                using var file = ModelFile.Open(Path.Combine(folder, location), Within(folder), location, mostBytes - contents.Bytes);
                if (parts.Any(p => p.Offset > file.Length || (p.Length ?? 0) > file.Length - p.Offset))
                    throw new InvalidDataException($"the model reads beyond the end of {ModelFile.Show(location)}, which has {file.Length} bytes");
                var target = Path.Combine(copy, location);
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                using var writer = new FileStream(target, FileMode.CreateNew, FileAccess.Write);
                var hash = file.Hash(writer);
                sums.Check(location, hash);
                contents.Add(hash);
                contents.Bytes += file.Length;
            }
            return copy;
        }
        catch
        {
            Delete(copy);
            throw;
        }
    }

    private static Dictionary<string, string[]> ReadLabels(FoundVersion version, ModelConfig config, Contents contents)
    {
        var labels = new Dictionary<string, string[]>();
        foreach (var (output, path) in config.Labels)
        {
            using var file = ModelFile.Open(Path.Combine(version.ModelFolder, path), Within(version.ModelFolder), path, MostLabelBytes);
            var bytes = file.ReadAll();
            contents.Add(Convert.ToHexStringLower(SHA256.HashData(bytes)));
            var lines = Encoding.UTF8.GetString(bytes).Split('\n').Select(l => l.TrimEnd('\r')).ToList();
            if (lines[^1].Length == 0)
                lines.RemoveAt(lines.Count - 1);
            labels.Add(output, [.. lines]);
        }
        return labels;
    }

    private static string Within(string folder) => ModelFile.Resolve(folder) ?? throw new InvalidDataException("the folder is not there any more");

    private static void Delete(string? copy)
    {
        if (copy is not null)
            Directory.Delete(copy, recursive: true);
    }

    private sealed class Contents
    {
        private readonly StringBuilder _hashes = new();

        public long Bytes { get; set; }
        public Dictionary<string, string[]> Labels { get; set; } = [];
        public string Fingerprint => _hashes.ToString();

        public void Add(string hash) => _hashes.Append(hash);
    }
}
