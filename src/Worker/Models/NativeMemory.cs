using System.Runtime.InteropServices;

namespace Millrace.Worker.Models;

/// <summary>Gives back what a large model leaves behind: the file's bytes to the collector, and pages that malloc keeps to the system.</summary>
internal static partial class NativeMemory
{
    /// <summary>For less, a full collection is not worth its pause.</summary>
    private const long LargeModelBytes = 16 << 20;

    public static void GiveBack(long modelBytes)
    {
        if (modelBytes < LargeModelBytes)
            return;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        if (!OperatingSystem.IsLinux())
            return;
        try { _ = Trim(0); }
        catch (EntryPointNotFoundException) { } // another libc than glibc
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint pad);
}
