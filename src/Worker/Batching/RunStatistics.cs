using Millrace.Storage.Models;

namespace Millrace.Worker.Batching;

/// <summary>What one version did since this process began, as the protocol's statistics extension counts it.</summary>
internal sealed class RunStatistics(string model, string version, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<int, BatchStatistics> _batches = [];
    private VersionStatistics _sum = new() { Model = model, Version = version };

    /// <summary>Bytes of the version's file; set when it is loaded, 0 when it is not.</summary>
    public long MemoryBytes { get; set; }

    /// <param name="requests">Requests and jobs that shared the run.</param>
    /// <param name="answered">Those of them that got an answer: one that is too large is none.</param>
    /// <param name="rows">Of all of them; their number where the model has no rows.</param>
    /// <param name="waited">Of all of them together, before the run began.</param>
    public void Ran(int requests, int answered, long rows, TimeSpan waited, RunTimes times)
    {
        var last = time.GetUtcNow().ToUnixTimeMilliseconds();
        var (input, infer, output) = (Of(requests, times.Input), Of(requests, times.Infer), Of(requests, times.Output));
        lock (_gate)
        {
            _sum = _sum with
            {
                LastInference = last,
                InferenceCount = _sum.InferenceCount + rows,
                ExecutionCount = _sum.ExecutionCount + 1,
                Success = _sum.Success + new CountAndTime(answered, answered * ((Ns(waited) / requests) + Ns(times.All))),
                Queue = _sum.Queue + new CountAndTime(requests, Ns(waited)),
                ComputeInput = _sum.ComputeInput + input,
                ComputeInfer = _sum.ComputeInfer + infer,
                ComputeOutput = _sum.ComputeOutput + output,
            };
            var size = (int)Math.Clamp(rows, 0, int.MaxValue);
            var batch = _batches.GetValueOrDefault(size) ?? new BatchStatistics(size, default, default, default);
            _batches[size] = new BatchStatistics(size, batch.ComputeInput + Of(1, times.Input), batch.ComputeInfer + Of(1, times.Infer), batch.ComputeOutput + Of(1, times.Output));
        }
    }

    /// <param name="took">From its arrival.</param>
    public void Failed(TimeSpan took)
    {
        lock (_gate)
            _sum = _sum with { Fail = _sum.Fail + Of(1, took) };
    }

    public VersionStatistics Read()
    {
        lock (_gate)
            return _sum with { Batches = [.. _batches.Values], MemoryBytes = MemoryBytes };
    }

    private static CountAndTime Of(int count, TimeSpan each) => new(count, count * Ns(each));

    private static long Ns(TimeSpan time) => time.Ticks * TimeSpan.NanosecondsPerTick;
}

/// <summary>Where the time of a run went: before the model, in it, after it.</summary>
internal readonly record struct RunTimes(TimeSpan Input, TimeSpan Infer, TimeSpan Output)
{
    public TimeSpan All => Input + Infer + Output;
}
