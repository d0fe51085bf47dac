using System.Globalization;
using Millrace.Hosting.Configuration;
using Millrace.Worker.Batching;

namespace Millrace.Worker.Execution;

/// <summary>A line before and after each run, written at once so that it outlives a killed process: what a worker really ran, for tests and for the curious.</summary>
internal sealed class RunLedger : IDisposable
{
    private readonly FileStream? _file;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();

    public RunLedger(WorkerOptions options, TimeProvider time)
    {
        _time = time;
        if (options.RunLedger.Length == 0)
            return;
        try { _file = new FileStream(options.RunLedger, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0); }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"Millrace:Worker:RunLedger: can't write {options.RunLedger}: {error.Message}", error);
        }
    }

    /// <summary><c>start|end</c>, microseconds since 1970, model, version, then for each request <c>lane:id:attempt:fence</c>.</summary>
    public void Write(string what, Batcher batcher, IReadOnlyList<WorkItem> items)
    {
        if (_file is null)
            return;
        var parts = items.Select(i => string.Create(CultureInfo.InvariantCulture, $"{i.Lane}:{i.Id:N}:{i.Attempt}:{i.Fence}"));
        var line = System.Text.Encoding.UTF8.GetBytes($"{what} {(_time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond} {batcher.Model.Name} {batcher.Model.Version} {string.Join(' ', parts)}\n");
        lock (_gate)
            _file.Write(line);
    }

    public void Dispose() => _file?.Dispose();
}
