using Microsoft.ML.OnnxRuntime;

namespace Millrace.Worker.Execution;

/// <summary>The memory that all models' runs share: what one has given back the next one takes, and together they never take more than a limit. A run that would fails,
/// and nothing else does. Weights lie outside of it, so that they go back to the system with their session.</summary>
/// <remarks>It belongs to ONNX Runtime's environment, of which a process has one: the first limit holds.</remarks>
internal static class RunArena
{
    /// <summary>ONNX Runtime takes no larger one.</summary>
    public const long LargestLimit = uint.MaxValue;

    private const int GrowByWhatIsAsked = 1; // not by the next power of two: the limit is to hold what it says
    private static readonly Lock Gate = new();
    private static bool _isOpen;

    /// <summary>Before the first session.</summary>
    /// <param name="limit">Bytes; 0 for none, -1 for half of what the process may have, at most <see cref="LargestLimit"/>.</param>
    public static void Open(long limit)
    {
        lock (Gate)
        {
            if (_isOpen)
                return;
            var most = limit >= 0 ? limit : Math.Min(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2, LargestLimit);
            using var settings = new OrtArenaCfg((uint)most, GrowByWhatIsAsked, -1, -1);
            using var memory = new OrtMemoryInfo(OrtMemoryInfo.allocatorCPU, OrtAllocatorType.ArenaAllocator, 0, OrtMemType.Default);
            OrtEnv.Instance().CreateAndRegisterAllocator(memory, settings);
            _isOpen = true;
        }
    }

    public static void Use(SessionOptions session) => session.AddSessionConfigEntry("session.use_env_allocators", "1");
}
