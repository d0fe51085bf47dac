using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;

namespace Millrace.Engine;

/// <summary>ONNX Runtime alone: as many threads as the platform has instances, each calling the model as fast as it returns, with inputs and outputs that lie ready.</summary>
internal static class Direct
{
    /// <returns>Rows a second, and microseconds of processor for each row.</returns>
    public static (double PerSecond, double CpuMicros) Run(string file, long[] rowIn, long[] rowOut, int rows, int threads, TimeSpan time)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        using var session = new InferenceSession(file, options);
        Loop(session, rowIn, rowOut, rows, TimeSpan.FromMilliseconds(500));
        using var process = Process.GetCurrentProcess();
        var (cpu, began) = (process.TotalProcessorTime, Stopwatch.GetTimestamp());
        var counts = new long[threads];
        var running = Enumerable.Range(0, threads).Select(i => new Thread(() => counts[i] = Loop(session, rowIn, rowOut, rows, time))).ToArray();
        foreach (var thread in running)
            thread.Start();
        foreach (var thread in running)
            thread.Join();
        var took = Stopwatch.GetElapsedTime(began);
        process.Refresh();
        return (counts.Sum() / took.TotalSeconds, (process.TotalProcessorTime - cpu).TotalMicroseconds / counts.Sum());
    }

    private static long Loop(InferenceSession session, long[] rowIn, long[] rowOut, int rows, TimeSpan time)
    {
        var input = Enumerable.Range(0, rows * Size(rowIn)).Select(i => (float)(i % 17) / 17).ToArray();
        var output = new float[rows * Size(rowOut)];
        using var x = OrtValue.CreateTensorValueFromMemory(input, [rows, .. rowIn]);
        using var y = OrtValue.CreateTensorValueFromMemory(output, [rows, .. rowOut]);
        using var run = new RunOptions();
        var began = Stopwatch.GetTimestamp();
        long done = 0;
        while (Stopwatch.GetElapsedTime(began) < time)
        {
            session.Run(run, ["x"], [x], ["y"], [y]);
            done += rows;
        }
        return done;
    }

    public static int Size(long[] shape) => (int)shape.Aggregate(1L, (product, d) => product * d);
}
