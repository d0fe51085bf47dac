using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Millrace.Rehearsal.Chart;

namespace Millrace.Rehearsal.Run;

/// <summary>What a Deployment's ReplicaSet does, with processes for pods: starts those that are missing, ends what is too much by SIGTERM, and after the grace by SIGKILL.</summary>
/// <param name="environment">What takes the place of the template's addresses and paths.</param>
internal sealed class WorkerPool(PodTemplate template, IReadOnlyDictionary<string, string> environment, string name, string folder) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private Pod[] _pods = [];
    private readonly List<Task> _leaving = [];
    private readonly ConcurrentBag<TimeSpan> _drains = [];
    private long _ticksOfLeft;
    private int _started;
    private int _kills;
    private int _deaths;

    /// <summary>All but those that were told to leave, as the Deployment's status counts them.</summary>
    public int Count => _pods.Length;

    /// <summary>Told to leave, and still there.</summary>
    public int Leaving
    {
        get
        {
            lock (_gate)
                return _leaving.Count(l => !l.IsCompleted);
        }
    }

    public int Started => _started;

    /// <summary>Did not leave within the grace.</summary>
    public int Kills => _kills;

    /// <summary>Ended by themselves, or with another exit code than 0.</summary>
    public int Deaths => _deaths + _pods.Count(p => p.Process.HasExited);

    /// <summary>From SIGTERM to the end of each that left.</summary>
    public IReadOnlyCollection<TimeSpan> Drains => _drains;

    public IEnumerable<int> Pids => _pods.Select(p => p.Process.Pid);

    /// <summary>Time of processor that all had so far, those that left among them.</summary>
    public TimeSpan Spent => TimeSpan.FromTicks(Interlocked.Read(ref _ticksOfLeft) + Pids.Sum(p => Cpu.Of(p).Ticks));

    public IReadOnlyList<string> Ledgers => Directory.GetFiles(folder, $"{name}-*.ledger");

    public void ScaleTo(int replicas)
    {
        // A ReplicaSet takes the unready first, then what has been ready for the shortest time.
        var victims = _pods.OrderBy(p => p.IsReady).ThenByDescending(p => p.Number).Take(_pods.Length - replicas).ToArray();
        _pods = [.. _pods.Except(victims), .. Enumerable.Range(0, Math.Max(0, replicas - _pods.Length)).Select(_ => Start())];
        lock (_gate)
            _leaving.AddRange(victims.Select(LeaveAsync));
    }

    public async Task<int> CountReadyAsync()
    {
        var pods = _pods;
        await Task.WhenAll(pods.Select(async pod => pod.IsReady = await pod.Process.IsReadyAsync()));
        return pods.Count(p => p.IsReady);
    }

    public async ValueTask DisposeAsync()
    {
        ScaleTo(0);
        await Task.WhenAll(_leaving);
    }

    private Pod Start()
    {
        var number = ++_started;
        var file = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{name}-{number}"));
        var all = new Dictionary<string, string>(template.Environment) { ["MILLRACE__WORKER__RUNLEDGER"] = $"{file}.ledger" };
        foreach (var (variable, value) in environment)
            all[variable] = value;
        return new Pod(number, ServerProcess.Start("Worker", template.Arguments, all, $"{file}.log"));
    }

    private async Task LeaveAsync(Pod pod)
    {
        await using var process = pod.Process;
        var began = Stopwatch.GetTimestamp();
        Interlocked.Add(ref _ticksOfLeft, Cpu.Of(process.Pid).Ticks); // the system forgets it with the process
        process.Terminate();
        if (await process.ExitAsync(template.Grace) is not { } code)
        {
            Interlocked.Increment(ref _kills);
            process.Kill();
        }
        else if (code != 0)
            Interlocked.Increment(ref _deaths);
        else
            _drains.Add(Stopwatch.GetElapsedTime(began));
    }

    private sealed class Pod(int number, ServerProcess process)
    {
        public int Number => number;

        public ServerProcess Process => process;

        public bool IsReady { get; set; }
    }
}
