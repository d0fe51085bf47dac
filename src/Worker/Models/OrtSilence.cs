using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace Millrace.Worker.Models;

/// <summary>ONNX Runtime 1.31 for Linux reports usage to its makers: some seconds after its start it looks up a host of theirs, and an exit waits for that. Nothing here calls home.</summary>
internal static partial class OrtSilence
{
    /// <summary>Before the first session. The variable must be in the process's own environment, where native code looks, which .NET's is a copy of.</summary>
    public static void Keep()
    {
        if (OperatingSystem.IsLinux())
            _ = SetEnvironment("ORT_DISABLE_TELEMETRY", "1", 1);
        OrtEnv.Instance().DisableTelemetryEvents();
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
