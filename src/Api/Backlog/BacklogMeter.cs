using System.Collections.Concurrent;
using System.Collections.Frozen;
using Microsoft.Extensions.Logging;
using Millrace.Api.Models;
using Millrace.Api.Queues;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Resilience;
using Millrace.Storage;
using Millrace.Storage.Jobs;
using Millrace.Storage.Queues;

namespace Millrace.Api.Backlog;

/// <summary>How much waits for each model and of each tenant, and how fast it drains: read from the store every second (while a queue's pace is not known yet, four times), and counted on in
/// between by what this replica accepts.</summary>
internal sealed class BacklogMeter(
    IJobStore jobs, IQueueStore queues, ModelCatalog catalog, DrainMeter drain, IBrokerState broker, StoreOptions options, TimeProvider time, ILogger<BacklogMeter> logger)
    : PassLoop(TimeSpan.FromMilliseconds(250), time, logger, firstAtStart: true)
{
    private static readonly TimeSpan Memory = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LeastPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan ReadEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LeastBusy = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<string, Pace> _paces = new();
    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly Lock _gate = new();
    private readonly List<(string Tenant, string Model)> _sinceRead = [];
    private volatile Snapshot _now = new([]);
    private long _readBegan;
    private long _readAt;
    private TimeSpan _readTook;

    /// <summary>Models with something queued or running.</summary>
    public IEnumerable<string> Models => _now.Models;

    public long Queued(string model) => _now.Queued(model);

    public long Running(string model) => _now.Running(model);

    /// <summary>How long the oldest job that may run has waited; zero when none waits.</summary>
    public TimeSpan OldestAge(string model) => _now.WaitsFor(model) is { } waited ? waited + Time.GetElapsedTime(Volatile.Read(ref _readAt)) : TimeSpan.Zero;

    /// <summary>Queued and running jobs of a tenant.</summary>
    public long Open(string tenant) => _now.Open(tenant);

    /// <summary>Jobs a second that the model's queue drains at while it has something to do; null when nothing can be said.</summary>
    public double? PerSecond(string model) => _paces.TryGetValue(model, out var pace) ? pace.PerSecond : null;

    /// <summary>Jobs that would start before another one of the tenant's: those in the window, and as many turns as the tenant has jobs waiting.</summary>
    public long Ahead(string tenant, string model)
    {
        var queued = _now.Queued(model);
        return Math.Min(queued, options.Window + (_now.Own(tenant, model) * Math.Max(1, _now.Tenants(model))));
    }

    /// <summary>Null when nothing can be said: nothing has drained under load lately.</summary>
    public TimeSpan? Wait(string tenant, string model) => PerSecond(model) is { } rate ? TimeSpan.FromSeconds(Math.Min(Ahead(tenant, model) / rate, 1e9)) : null;

    /// <summary>Until the store is read again.</summary>
    public void NoteAccepted(string tenant, string model)
    {
        lock (_gate)
        {
            _now.Add(tenant, model);
            _sinceRead.Add((tenant, model));
        }
    }

    /// <summary>Reads the store again, where a limit is near enough that it matters; but not so often that reading is all it does.</summary>
    public async Task RefreshAsync(CancellationToken cancellation)
    {
        if (Time.GetElapsedTime(Volatile.Read(ref _readAt)) > LeastPause + (10 * _readTook))
            await ReadAsync(cancellation);
    }

    /// <summary>Reads the store again if some jobs may be counted twice, by the store and by what was accepted since: nobody is refused for those.</summary>
    public async Task ConfirmAsync(CancellationToken cancellation)
    {
        bool isSure;
        lock (_gate)
            isSure = _sinceRead.Count == 0;
        if (!isSure)
            await ReadAsync(cancellation);
    }

    private async Task<Snapshot> ReadAsync(CancellationToken cancellation)
    {
        var asked = Time.GetTimestamp();
        await _reading.WaitAsync(cancellation);
        try
        {
            if (_readBegan > asked)
                return _now; // those who waited together share one
            int known;
            lock (_gate)
                known = _sinceRead.Count;
            var began = Time.GetTimestamp();
            var now = new Snapshot(await jobs.ReadQueuesAsync(null, cancellation));
            lock (_gate)
            {
                _sinceRead.RemoveRange(0, known);
                foreach (var (tenant, model) in _sinceRead) // whether the store told of them is not known: counted twice they cost a place for a moment, forgotten they would pass the limit
                    now.Add(tenant, model);
                _now = now;
            }
            _readBegan = began;
            _readTook = Time.GetElapsedTime(began);
            Volatile.Write(ref _readAt, Time.GetTimestamp());
            return now;
        }
        finally { _reading.Release(); }
    }

    public override async Task RunOnceAsync(CancellationToken cancellation)
    {
        var isLearning = _now.HasNew || _now.Models.Any(m => _now.Queued(m) > 0 && PerSecond(m) is null);
        if (_readAt != 0 && !isLearning && Time.GetElapsedTime(Volatile.Read(ref _readAt)) < ReadEvery)
            return;
        var now = await ReadAsync(cancellation);
        var paused = await queues.ReadPausedAsync(cancellation);
        var brokerMoves = broker.Circuit == Circuit.Closed && broker.Alarm is null;
        foreach (var model in now.Models.Union(_paces.Keys))
        {
            var moves = brokerMoves && !paused.Contains(model) && catalog.Find(model) is { Instances: > 0 };
            _paces.GetOrAdd(model, _ => new Pace(new BusyRate(Memory, LeastBusy, Time))).Note(moves && now.Queued(model) > 0, drain.Ran(model));
        }
    }

    public override void Dispose()
    {
        _reading.Dispose();
        base.Dispose();
    }

    /// <summary>A model's queue from pass to pass: what ended between two of them counts when something waited at both.</summary>
    private sealed class Pace(BusyRate rate)
    {
        private bool _wasBusy;
        private long _ended;

        public double? PerSecond => rate.PerSecond;

        public void Note(bool isBusy, long ended)
        {
            if (!_wasBusy || !isBusy)
                rate.Begin();
            else if (ended > _ended)
                rate.End((int)(ended - _ended));
            (_wasBusy, _ended) = (isBusy, ended);
        }
    }

    private sealed class Snapshot
    {
        private readonly FrozenDictionary<string, (long Queued, long Running, int Tenants, TimeSpan? WaitsFor)> _models;
        private readonly ConcurrentDictionary<(string Tenant, string Model), long> _own = new();
        private readonly ConcurrentDictionary<string, long> _open = new();
        private readonly ConcurrentDictionary<string, long> _accepted = new();

        public Snapshot(IReadOnlyList<QueueDepth> depths)
        {
            _models = depths.GroupBy(d => d.Model).ToFrozenDictionary(m => m.Key, m => (m.Sum(d => d.Queued), m.Sum(d => d.Running), m.Count(d => d.Queued > 0), m.Max(d => d.WaitsFor)));
            foreach (var depth in depths)
            {
                _own[(depth.Tenant, depth.Model)] = depth.Queued;
                _open.AddOrUpdate(depth.Tenant, depth.Queued + depth.Running, (_, sum) => sum + depth.Queued + depth.Running);
            }
        }

        public IEnumerable<string> Models => _models.Keys;

        public long Queued(string model) => _models.GetValueOrDefault(model).Queued + _accepted.GetValueOrDefault(model);

        public long Running(string model) => _models.GetValueOrDefault(model).Running;

        public TimeSpan? WaitsFor(string model) => _models.GetValueOrDefault(model).WaitsFor;

        public int Tenants(string model) => _models.GetValueOrDefault(model).Tenants;

        public long Own(string tenant, string model) => _own.GetValueOrDefault((tenant, model));

        public long Open(string tenant) => _open.GetValueOrDefault(tenant);

        /// <summary>A model has jobs now that had none.</summary>
        public bool HasNew => _accepted.Keys.Any(m => !_models.ContainsKey(m));

        public void Add(string tenant, string model)
        {
            _accepted.AddOrUpdate(model, 1, (_, sum) => sum + 1);
            _own.AddOrUpdate((tenant, model), 1, (_, sum) => sum + 1);
            _open.AddOrUpdate(tenant, 1, (_, sum) => sum + 1);
        }
    }
}
