using System.Text;
using System.Text.RegularExpressions;

namespace Millrace.Worker.Models;

/// <summary>The file <c>SHA256SUMS</c> beside a model, as <c>sha256sum</c> writes it: the files that belong to the version, by their hashes.</summary>
internal sealed partial class Checksums
{
    public const string Name = "SHA256SUMS";

    private const long MostBytes = 1 << 20;

    private readonly Dictionary<string, string> _hashes = [];

    public IEnumerable<string> Files => _hashes.Keys;

    /// <summary>Null when there is none.</summary>
    /// <exception cref="InvalidDataException">It is not what sha256sum writes.</exception>
    public static Checksums? Read(string folder, string below)
    {
        var path = Path.Combine(folder, Name);
        if (FileStat.Of(path) is null && new FileInfo(path).LinkTarget is null)
            return null;
        using var file = ModelFile.Open(path, below, Name, MostBytes);
        var sums = new Checksums();
        var number = 0;
        foreach (var line in Encoding.UTF8.GetString(file.ReadAll()).Split('\n').Select(l => l.TrimEnd('\r')))
        {
            number++;
            if (line.Length == 0)
                continue;
            if (Line().Match(line) is not { Success: true } match)
                throw new InvalidDataException($"{Name}, line {number}: it must be 64 hex digits, two spaces and a name, as sha256sum writes");
            var name = match.Groups["name"].Value;
            if (!ModelFile.IsBelow(name) || !sums._hashes.TryAdd(name, match.Groups["hash"].Value.ToLowerInvariant()))
                throw new InvalidDataException($"{Name}, line {number}: {ModelFile.Show(name)} is listed twice, or leads out of the folder");
        }
        return sums;
    }

    /// <exception cref="InvalidDataException">It is not listed, or with another hash.</exception>
    public void Check(string file, string hash)
    {
        if (!_hashes.TryGetValue(file, out var listed))
            throw new InvalidDataException($"{ModelFile.Show(file)} is not listed in {Name}");
        if (listed != hash)
            throw new InvalidDataException($"{ModelFile.Show(file)} has the SHA-256 {hash}; {Name} lists {listed}");
    }

    [GeneratedRegex(@"^(?<hash>[0-9A-Fa-f]{64}) [ *](?:\./)?(?<name>.+)\z")]
    private static partial Regex Line();
}
