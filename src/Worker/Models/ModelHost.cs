using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Chaos;
using Millrace.Hosting.Faults;
using Millrace.Storage.Models;
using Millrace.Worker.Batching;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Models;

/// <summary>The versions that this worker serves, each with its batcher. Whoever brings a request reads one snapshot and takes no lock.</summary>
/// <remarks>A version is put into the snapshot when it is ready, and taken out before its batcher ends, so who is refused by a batcher finds another, or none, in the next snapshot.</remarks>
internal sealed class ModelHost(RunLedger ledger, RunMetrics metrics, FaultPoints faults, ChaosSwitch chaos, WorkerOptions options, TimeProvider time, ILoggerFactory loggers) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<(string Model, string Version), RunStatistics> _statistics = new();
    private readonly ConcurrentDictionary<Batcher, bool> _leaving = new();
    private volatile Dictionary<string, Slot[]> _served = []; // of each model, oldest first; never changed, only replaced
    private volatile bool _stopped;

    /// <summary>Models with a version for everybody.</summary>
    public IReadOnlyCollection<string> Names => _served.Where(m => m.Value.Any(s => !s.ForJobs)).Select(m => m.Key).ToArray();

    public IReadOnlyList<Batcher> All => _served.Values.SelectMany(v => v).Select(s => s.Batcher).ToArray();

    /// <summary>The versions for everybody.</summary>
    public IReadOnlyList<Batcher> Versions(string model) => _served.GetValueOrDefault(model)?.Where(s => !s.ForJobs).Select(s => s.Batcher).ToArray() ?? [];

    /// <summary>What all versions did, also those that are not served any more.</summary>
    public IReadOnlyList<VersionStatistics> Statistics => _statistics.OrderBy(s => s.Key).Select(s => s.Value.Read()).ToArray();

    /// <summary>Hands an item to that version, or to the newest when none is named.</summary>
    /// <param name="forJobs">Also to a version that is there for jobs alone.</param>
    /// <returns>False when the version is not here.</returns>
    public bool TryAdd(string model, string? version, WorkItem item, bool forJobs = false)
    {
        while (Find(model, version, forJobs) is { } slot)
        {
            if (slot.ForJobs)
                slot.UsedAt = time.GetTimestamp();
            if (slot.Batcher.TryAdd(item))
                return true;
            if (_stopped)
                return item.TryEnd(new RunOutcome.GivenBack()) || true;
        }
        return false;
    }

    /// <summary>From now on the version is served by this; what served it before runs what it has and leaves.</summary>
    /// <param name="forJobs">It is there only for jobs that were made for it.</param>
    public Batcher Put(LoadedModel model, bool forJobs = false)
    {
        var statistics = _statistics.GetOrAdd((model.Name, model.Version), _ => new RunStatistics(model.Name, model.Version, time));
        statistics.MemoryBytes = model.Bytes;
        var batcher = new Batcher(model, ledger, metrics, statistics, faults, chaos, options.MaxClaimedBytes, time, loggers.CreateLogger<Batcher>());
        Replace(model.Name, model.Version, new Slot(batcher, forJobs, time.GetTimestamp()));
        return batcher;
    }

    /// <summary>What was there for jobs alone is there for everybody.</summary>
    public void Open(Batcher batcher) => Replace(batcher.Model.Name, batcher.Model.Version, new Slot(batcher, false, time.GetTimestamp()));

    /// <summary>The version is not found any more; what it has, it runs, and leaves.</summary>
    public void TakeOut(Batcher batcher)
    {
        _statistics[(batcher.Model.Name, batcher.Model.Version)].MemoryBytes = 0;
        Replace(batcher.Model.Name, batcher.Model.Version, null);
    }

    /// <summary>Since something was last brought to it.</summary>
    public TimeSpan IdleFor(Batcher batcher) =>
        Find(batcher.Model.Name, batcher.Model.Version, forJobs: true) is { } slot ? time.GetElapsedTime(slot.UsedAt) : TimeSpan.MaxValue;

    public void Dispose()
    {
        _stopped = true;
        foreach (var batcher in All.Concat(_leaving.Keys))
            batcher.Dispose();
    }

    private Slot? Find(string model, string? version, bool forJobs)
    {
        if (!_served.TryGetValue(model, out var versions))
            return null;
        for (var at = versions.Length - 1; at >= 0; at--)
        {
            if ((forJobs || !versions[at].ForJobs) && (version is null || versions[at].Batcher.Model.Version == version))
                return versions[at];
        }
        return null;
    }

    private void Replace(string model, string version, Slot? slot)
    {
        Slot? before;
        lock (_gate)
        {
            var versions = _served.GetValueOrDefault(model) ?? [];
            before = Array.Find(versions, s => s.Batcher.Model.Version == version);
            var others = versions.Where(s => s != before).Concat(slot is null ? [] : [slot])
                .OrderBy(s => s.Batcher.Model.Version.Length).ThenBy(s => s.Batcher.Model.Version, StringComparer.Ordinal).ToArray();
            var served = new Dictionary<string, Slot[]>(_served);
            if (others.Length == 0)
                served.Remove(model);
            else
                served[model] = others;
            _served = served;
        }
        if (before is not null && before.Batcher != slot?.Batcher)
            Retire(before.Batcher);
    }

    /// <summary>On a thread of its own: a run may take long, and a session that is disposed while it runs ends the process.</summary>
    private void Retire(Batcher batcher)
    {
        _leaving[batcher] = true;
        new Thread(() =>
        {
            while (!batcher.Model.IsDisposed && !_stopped)
                batcher.Dispose(); // waits some seconds for its runs
            _leaving.TryRemove(batcher, out _);
            NativeMemory.GiveBack(batcher.Model.Bytes);
        })
        { IsBackground = true, Name = $"{batcher.Model.Name}/{batcher.Model.Version} leaves" }.Start();
    }

    private sealed class Slot(Batcher batcher, bool forJobs, long since)
    {
        private long _usedAt = since;

        public Batcher Batcher => batcher;
        public bool ForJobs => forJobs;

        public long UsedAt
        {
            get => Volatile.Read(ref _usedAt);
            set => Volatile.Write(ref _usedAt, value);
        }
    }
}
