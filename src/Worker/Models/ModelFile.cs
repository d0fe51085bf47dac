using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Millrace.Worker.Models;

/// <summary>A file of the repository, opened once: what is checked, hashed and read is the same open file, whatever happens to its name meanwhile.</summary>
internal sealed class ModelFile : IDisposable
{
    private const int LongestShown = 100;
    private const int ChunkBytes = 1 << 20;

    private readonly SafeFileHandle _file;
    private readonly FileStat _stat;
    private readonly string _shown;

    private ModelFile(SafeFileHandle file, FileStat stat, string shown) => (_file, _stat, _shown) = (file, stat, shown);

    public long Length => _stat.Size;

    /// <param name="below">A folder with all links resolved; the file must lie in it, links resolved too.</param>
    /// <param name="shown">What messages call it.</param>
    /// <exception cref="InvalidDataException">It is not there, no regular file, has other names too (hard links), lies elsewhere or is too large.</exception>
    public static ModelFile Open(string path, string below, string shown, long mostBytes)
    {
        shown = Show(shown);
        var stat = FileStat.Of(path) ?? throw new InvalidDataException($"{shown} is not there");
        Check(stat, shown); // a device may act on being opened
        var file = FileStat.Open(path) ?? throw new InvalidDataException($"{shown} can't be read");
        try
        {
            stat = FileStat.Of(file);
            Check(stat, shown);
            if (!FileStat.PathOf(file, path).StartsWith(below.TrimEnd('/') + '/', StringComparison.Ordinal))
                throw new InvalidDataException($"{shown} leads out of its folder");
            if (stat.Size > mostBytes)
                throw new InvalidDataException($"{shown} has {stat.Size} bytes; {mostBytes} are the most (Millrace:Models:MaxModelBytes)");
            return new ModelFile(file, stat, shown);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>A folder with all links resolved; null when there is none.</summary>
    public static string? Resolve(string folder)
    {
        if (!OperatingSystem.IsLinux())
            return Directory.Exists(folder) ? Path.GetFullPath(folder) : null;
        using var handle = FileStat.Of(folder) is { Kind: FileKind.Folder } ? FileStat.Open(folder) : null;
        return handle is null ? null : FileStat.PathOf(handle, folder);
    }

    /// <summary>Whether it is a relative path that stays below where it begins. Wildcards, which no exporter writes, are refused for ONNX Runtime's sake: to it a path of asterisks is an address in memory.</summary>
    public static bool IsBelow(string path) => path.Length is > 0 and <= 1000 && path.IndexOfAny(['\0', '\\', '*', ':']) < 0 && !Path.IsPathRooted(path)
        && path.Split('/').All(part => part.Length > 0 && part is not ("." or ".."));

    /// <summary>Text from a file, fit for one line of a log.</summary>
    public static string Show(string text)
    {
        var line = string.Concat(text.Select(c => char.IsControl(c) || c is '\u2028' or '\u2029' ? '?' : c));
        return line.Length <= LongestShown ? line : line[..LongestShown] + '…';
    }

    /// <exception cref="InvalidDataException">It does not fit an array, or changed while it was read.</exception>
    public byte[] ReadAll()
    {
        if (Length > Array.MaxLength)
            throw new InvalidDataException($"{_shown} has {Length} bytes; {Array.MaxLength} are the most of one file: put the weights into external data");
        var bytes = GC.AllocateUninitializedArray<byte>((int)Length);
        var at = 0;
        while (at < bytes.Length && RandomAccess.Read(_file, bytes.AsSpan(at), at) is > 0 and var read)
            at += read;
        MustBeAsItWas(at);
        return bytes;
    }

    /// <summary>Passes the bytes to a hash and, where one is given, to a copy.</summary>
    /// <returns>SHA-256, lower-case hex.</returns>
    /// <exception cref="InvalidDataException">It changed while it was read.</exception>
    public string Hash(FileStream? copy = null)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var chunk = new byte[(int)Math.Clamp(Length, 1, ChunkBytes)];
        long at = 0;
        while (RandomAccess.Read(_file, chunk, at) is > 0 and var read)
        {
            hash.AppendData(chunk, 0, read);
            copy?.Write(chunk, 0, read);
            at += read;
            if (at > Length)
                break;
        }
        MustBeAsItWas(at);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public void Dispose() => _file.Dispose();

    private static void Check(FileStat stat, string shown)
    {
        if (stat.Kind != FileKind.Regular)
            throw new InvalidDataException($"{shown} is no regular file");
        if (stat.Links != 1)
            throw new InvalidDataException($"{shown} has {stat.Links} names (hard links); it must have one");
    }

    private void MustBeAsItWas(long read)
    {
        var now = FileStat.Of(_file);
        if (read != Length || now.Size != Length || now.Modified != _stat.Modified)
            throw new InvalidDataException($"{_shown} changed while it was read");
    }
}
