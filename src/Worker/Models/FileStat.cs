using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Millrace.Worker.Models;

internal enum FileKind
{
    Regular,
    Folder,
    Other,
}

/// <summary>What the system says of a file, symbolic links followed. Where it is not Linux, links are not counted.</summary>
/// <param name="Modified">Nanoseconds since 1970.</param>
/// <param name="Links">Names that the file has.</param>
internal readonly partial record struct FileStat(FileKind Kind, long Size, long Modified, ulong Inode, uint Links)
{
    private const int AtWorkingFolder = -100;
    private const int EmptyPath = 0x1000;
    private const uint BasicStats = 0x7ff;
    private const int ReadOnlyUnblocked = 0x800 | 0x80000; // O_NONBLOCK, so that a FIFO in a file's place is not waited for, and O_CLOEXEC
    private const int TypeMask = 0xF000;
    private const int TypeRegular = 0x8000;
    private const int TypeFolder = 0x4000;

    public DateTimeOffset ModifiedAt => DateTimeOffset.FromUnixTimeMilliseconds(Modified / 1_000_000);

    /// <summary>Null when there is nothing.</summary>
    public static FileStat? Of(string path)
    {
        if (OperatingSystem.IsLinux())
            return GetStat(AtWorkingFolder, path, 0, BasicStats, out var stat) == 0 ? From(stat) : null;
        FileSystemInfo file = Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);
        file = file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
        return file.Exists ? From(file) : null;
    }

    /// <exception cref="IOException">The system does not say.</exception>
    public static FileStat Of(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
            return new FileStat(FileKind.Regular, RandomAccess.GetLength(file), 0, 0, 1);
        return GetStat((int)file.DangerousGetHandle(), "", EmptyPath, BasicStats, out var stat) == 0 ? From(stat) : throw new IOException("An open file can't be looked at.");
    }

    /// <summary>Opens without waiting, whatever it is; null when it can't be opened.</summary>
    public static SafeFileHandle? Open(string path)
    {
        if (!OperatingSystem.IsLinux())
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var descriptor = OpenDescriptor(path, ReadOnlyUnblocked);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Where an open file lies, all links resolved.</summary>
    /// <exception cref="IOException">The system does not say.</exception>
    public static string PathOf(SafeFileHandle file, string opened)
    {
        if (!OperatingSystem.IsLinux())
            return Path.GetFullPath(File.ResolveLinkTarget(opened, returnFinalTarget: true)?.FullName ?? opened);
        return new FileInfo($"/proc/self/fd/{file.DangerousGetHandle()}").LinkTarget ?? throw new IOException("An open file can't be found in /proc.");
    }

    private static FileStat From(in Stat stat) => new(
        (stat.Mode & TypeMask) switch { TypeRegular => FileKind.Regular, TypeFolder => FileKind.Folder, _ => FileKind.Other },
        (long)stat.Size, (stat.ModifiedSeconds * 1_000_000_000) + stat.ModifiedNanoseconds, stat.Inode, stat.Links);

    private static FileStat From(FileSystemInfo file) => new(
        file is DirectoryInfo ? FileKind.Folder : FileKind.Regular, file is FileInfo regular ? regular.Length : 0,
        new DateTimeOffset(file.LastWriteTimeUtc).ToUnixTimeMilliseconds() * 1_000_000, 0, 1);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int GetStat(int folder, string path, int flags, uint mask, out Stat stat);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenDescriptor(string path, int flags);

    /// <remarks>Source: statx(2); the same on every processor, unlike stat(2).</remarks>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Stat
    {
        [FieldOffset(16)] public uint Links;
        [FieldOffset(28)] public ushort Mode;
        [FieldOffset(32)] public ulong Inode;
        [FieldOffset(40)] public ulong Size;
        [FieldOffset(112)] public long ModifiedSeconds;
        [FieldOffset(120)] public uint ModifiedNanoseconds;
    }
}
