using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Lifecycle;
using Millrace.Messages;
using Millrace.Storage;
using Millrace.Storage.Announcements;
using Millrace.Storage.Jobs;
using Millrace.Storage.Models;
using Millrace.Worker.Consumers;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Models;

/// <summary>Makes what is served equal to what lies in the repository and what is wished, and tells everybody.</summary>
/// <remarks>A new version is loaded beside the old ones, then found, then announced. One that leaves is announced first and serves until every API has read that. Then it is
/// taken out, runs what it has, and is disposed.</remarks>
internal sealed class RepositoryWatch : PassLoop
{
    private static readonly TimeSpan LongestTick = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ShortestSettle = TimeSpan.FromMilliseconds(200);

    private readonly ModelRepository _repository;
    private readonly ModelHost _models;
    private readonly ModelConsumers _consumers;
    private readonly OnDemandVersions _onDemand;
    private readonly IModelStore _store;
    private readonly IAnnouncementStore _announcements;
    private readonly IEventBus _events;
    private readonly Draining _draining;
    private readonly WorkerIdentity _worker;
    private readonly WorkerOptions _workerOptions;
    private readonly ModelsOptions _options;
    private readonly ILogger _logger;
    private readonly IDisposable _subscription;
    private readonly TimeSpan _settlesIn;

    private readonly SortedDictionary<(string Model, string Version), HeldVersion> _held = [];
    private readonly Dictionary<string, long> _madeTrue = []; // of each model, the newest wish
    private IReadOnlyList<FoundModel>? _found;
    private Dictionary<string, ModelWish>? _wishes;
    private IReadOnlyList<string> _announced = [];
    private long _scannedAt;
    private long _wishesReadAt;
    private volatile bool _wishesChanged = true;
    private bool _wishesRead;
    private bool _scanAgain;
    private bool _scanFails;
    private bool _waited;
    private volatile bool _isAnnounced;
    private volatile bool _hadModels;

    public RepositoryWatch(
        ModelRepository repository, ModelHost models, ModelConsumers consumers, OnDemandVersions onDemand, IModelStore store, IAnnouncementStore announcements, IEventBus events,
        Draining draining, WorkerIdentity worker, WorkerOptions workerOptions, ModelsOptions options, TimeProvider time, ILogger<RepositoryWatch> logger)
        : base(options.ScanEvery > TimeSpan.Zero && options.ScanEvery < LongestTick ? options.ScanEvery : LongestTick, time, logger)
    {
        (_repository, _models, _consumers, _onDemand, _store, _announcements, _events) = (repository, models, consumers, onDemand, store, announcements, events);
        (_draining, _worker, _workerOptions, _options, _logger) = (draining, worker, workerOptions, options, logger);
        _settlesIn = TimeSpan.FromTicks(Math.Clamp(options.ScanEvery.Ticks, ShortestSettle.Ticks, LongestTick.Ticks));
        _subscription = events.Subscribe<ModelWished>(_ => { _wishesChanged = true; Wake(); });
        onDemand.Wanted += Wake;
    }

    /// <summary>It was announced what is served, and that was something at least once.</summary>
    public bool IsReady => _isAnnounced && _hadModels;

    /// <summary>Versions that are loaded.</summary>
    public int Loaded => _models.All.Count;

    /// <summary>Loads what is there, before anybody is told.</summary>
    /// <exception cref="Hosting.Configuration.StartupException">There is no folder, a named model is not there, or there is none at all and nothing will look for it.</exception>
    public async Task LoadFirstAsync(CancellationToken cancellation)
    {
        if (!_workerOptions.Standby)
        {
            try { await ReadWishesAsync(cancellation); }
            catch (StoreUnavailableException) { } // it is told by the pass that follows
        }
        _found = await _repository.ScanFirstAsync(cancellation);
        _scannedAt = Time.GetTimestamp();
        Update(wellKnown: true);
        if (_hadModels)
            return;
        var broken = _held.Values.Select(h => h.Announce(0)).OfType<AnnouncedModel>().ToArray();
        if (_options.ScanEvery == TimeSpan.Zero)
            _repository.MustHave(0, broken);
        if (broken.Length == 0)
            _logger.NoModels(_repository.Expectation);
        else
            _logger.NoModels("None of the models can be loaded");
    }

    public override async Task RunOnceAsync(CancellationToken cancellation)
    {
        if (_draining.Begun.IsCancellationRequested)
            return;
        var away = await TryReadWishesAsync(cancellation);
        if (TryScan() || _wishesRead)
            Update(wellKnown: false);
        TakeOut();
        await AnswerJobsAsync(cancellation);
        if (_workerOptions.Standby)
        {
            NoteAnnounced();
            return;
        }
        _waited |= away is not null;
        if (away is not null)
            throw away;
        await AnnounceAsync(cancellation);
        _consumers.Keep(_models.Names, _held.Values.Where(h => h is { Batcher: not null, IsForJobs: false, Leaves: null }).Select(h => h.Model).ToHashSet());
    }

    public override void Dispose()
    {
        _subscription.Dispose();
        _onDemand.Wanted -= Wake;
        base.Dispose();
    }

    private async Task<StoreUnavailableException?> TryReadWishesAsync(CancellationToken cancellation)
    {
        _wishesRead = false;
        if (_workerOptions.Standby || (_wishes is not null && !_wishesChanged && Time.GetElapsedTime(_wishesReadAt) < WorkerLiveness.BeatEvery))
            return null;
        try
        {
            _wishesRead = await ReadWishesAsync(cancellation);
            return null;
        }
        catch (StoreUnavailableException error) { return error; }
    }

    /// <returns>Whether there is something new.</returns>
    private async Task<bool> ReadWishesAsync(CancellationToken cancellation)
    {
        _wishesChanged = false;
        try
        {
            var before = _wishes;
            _wishes = (await _store.ReadWishesAsync(cancellation)).ToDictionary(w => w.Model);
            _wishesReadAt = Time.GetTimestamp();
            return before is null || _wishes.Values.Any(w => before.GetValueOrDefault(w.Model) != w);
        }
        catch
        {
            _wishesChanged = true;
            throw;
        }
    }

    /// <summary>False when it is not time yet, or the folder can't be read: what can't be seen is not gone.</summary>
    private bool TryScan()
    {
        var since = Time.GetElapsedTime(_scannedAt);
        var isDue = _wishesRead || (_scanAgain && since >= _settlesIn) || (_options.ScanEvery > TimeSpan.Zero && since >= _options.ScanEvery);
        if (!isDue)
            return false;
        try
        {
            _scannedAt = Time.GetTimestamp();
            _found = _repository.Scan();
            _scanFails = false;
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            if (!_scanFails)
                _logger.ScanFailed(RunFailure.Clean(error.Message));
            _scanFails = true;
            return false;
        }
    }

    private void Update(bool wellKnown)
    {
        _scanAgain = false;
        foreach (var model in _found ?? [])
            Update(model, wellKnown);
        var found = (_found ?? []).SelectMany(m => m.Versions).Select(v => (v.Name, v.Version)).ToHashSet();
        foreach (var (key, held) in _held.Where(h => !found.Contains(h.Key)).ToArray())
            Miss(key, held);
        _hadModels |= _held.Values.Any(h => h.Batcher is not null || h.Leaves == Departure.Unloaded);
    }

    private void Update(FoundModel model, bool wellKnown)
    {
        var wish = _wishes?.GetValueOrDefault(model.Name);
        var policy = model.Config.VersionPolicy;
        var (ready, isTrue) = (0, true);
        foreach (var version in model.Versions.Reverse())
        {
            var held = Hold(model.Name, version.Version);
            held.See(version.Files, _settlesIn, wellKnown);
            _scanAgain |= !held.IsSettled;
            if (wish is { Loaded: false })
            {
                if (held.Batcher is not null || policy.Allows(version.Version))
                    held.Leave(Departure.Unloaded, wish.Revision);
            }
            else if (!policy.Allows(version.Version) || ready >= policy.Most)
            {
                if (held is { Batcher: not null, IsForJobs: false })
                    held.Leave(Departure.Excluded, 0);
                else
                    held.Stay();
            }
            else
            {
                Load(held, model, version, wish?.Revision ?? 0);
                isTrue &= held.Wish >= (wish?.Revision ?? 0);
                ready += held.Batcher is null ? 0 : 1;
            }
        }
        if (isTrue && wish is not null)
            _madeTrue[model.Name] = wish.Revision;
    }

    private void Load(HeldVersion held, FoundModel model, FoundVersion version, long wish)
    {
        held.Stay();
        if (held is { IsForJobs: true, Batcher: { } forJobs })
        {
            _models.Open(forJobs);
            held.OpenForAll();
        }
        var isWished = wish > held.Wish;
        if (!isWished && held.WasTried(model, version))
            return;
        if (!held.IsSettled)
            return;
        if (!isWished && held.OnlyAnnouncesAnew(model, version))
            held.Took(model, version, null, false, wish);
        else
            Apply(_repository.Load(model, version, isWished ? null : held.Batcher?.Model), held, model, version, forJobs: false, wish);
    }

    private void Apply(LoadOutcome outcome, HeldVersion held, FoundModel model, FoundVersion version, bool forJobs, long wish)
    {
        switch (outcome)
        {
            case LoadOutcome.Loaded(var loaded):
                held.Took(model, version, _models.Put(loaded, forJobs), forJobs, wish);
                NativeMemory.GiveBack(loaded.Bytes); // the bytes of the file
                break;
            case LoadOutcome.Same:
                held.Took(model, version, null, forJobs, wish);
                break;
            case LoadOutcome.Failed(var reason):
                held.Failed(model, version, reason, wish);
                break;
        }
    }

    private void Miss((string, string) key, HeldVersion held)
    {
        if (!held.Miss(_settlesIn) && _options.ScanEvery > TimeSpan.Zero)
            _scanAgain = true;
        else if (held.Batcher is null)
            _held.Remove(key);
        else if (!held.IsForJobs)
            held.Leave(Departure.Gone, 0);
    }

    private void TakeOut()
    {
        foreach (var (key, held) in _held.ToArray())
        {
            var isOver = held.Leaves is not null && held.LeavingSince is { } since && Time.GetElapsedTime(since) >= _options.UnloadDelay;
            if (held.Batcher is not { } batcher || !(isOver || (held.IsForJobs && _models.IdleFor(batcher) >= _options.OnDemandIdle)))
                continue;
            _models.TakeOut(batcher);
            held.TakenOut();
            _logger.ModelUnloaded(held.Model, held.Version);
            if (held.Leaves == Departure.Gone)
                _held.Remove(key);
        }
    }

    private async Task AnswerJobsAsync(CancellationToken cancellation)
    {
        foreach (var (model, version) in _onDemand.All)
        {
            var held = _held.GetValueOrDefault((model, version));
            var found = _found?.FirstOrDefault(m => m.Name == model);
            var files = found?.Versions.FirstOrDefault(v => v.Version == version);
            if (_wishes?.GetValueOrDefault(model) is { Loaded: false })
                _onDemand.Answer(model, version, new RunOutcome.GivenBack()); // it stays queued, uncharged
            else if (held?.Batcher is not null)
                _onDemand.Answer(model, version, null);
            else if (held is null || files is null)
                _onDemand.Answer(model, version, await IsElsewhereAsync(model, version, cancellation) ? new RunOutcome.GivenBack() : Gone(model, version));
            else if (held.IsSettled)
                LoadForJobs(held, found!, files);
            else
                _scanAgain = true;
        }
    }

    private void LoadForJobs(HeldVersion held, FoundModel model, FoundVersion version)
    {
        if (!(held.Fault is not null && held.WasTried(model, version)))
            Apply(_repository.Load(model, version, null), held, model, version, forJobs: true, held.Wish);
        _onDemand.Answer(held.Model, held.Version, held.Batcher is not null ? null : new RunOutcome.Failed(new RunFailure(
            JobErrorCodes.ModelError, $"Version {held.Version} of the model can't be loaded: {held.Fault}", true, InferFailure.ModelNotReady)));
    }

    private async Task<bool> IsElsewhereAsync(string model, string version, CancellationToken cancellation) =>
        (await _announcements.ReadAsync(WorkerLiveness.AliveWithin, cancellation)).Models
            .Any(m => m.Name == model && m.Version == version && m is { State: ModelState.Ready, IsRemembered: false });

    private static RunOutcome.Failed Gone(string model, string version) => new(new RunFailure(
        JobErrorCodes.ModelError, $"Version {version} of model {model} is not in the model repository any more, and no worker has it.", false, InferFailure.ModelNotReady));

    private async Task AnnounceAsync(CancellationToken cancellation)
    {
        var models = _held.Values.Select(h => h.Announce(_madeTrue.GetValueOrDefault(h.Model))).OfType<AnnouncedModel>().ToArray();
        var digest = models.Select(Digest).ToArray();
        if (_isAnnounced && digest.SequenceEqual(_announced))
            return;
        await _announcements.AnnounceAsync(_worker.Id, models, cancellation);
        _announced = digest;
        NoteAnnounced();
        await _events.PublishAsync(new ModelsChanged { Worker = _worker.Id }, cancellation);
        if (!_isAnnounced && _waited)
            _logger.Attached(_models.Names.Count);
        _isAnnounced = true;
    }

    private void NoteAnnounced()
    {
        foreach (var held in _held.Values)
            held.Announced(Time.GetTimestamp());
    }

    /// <summary>All that may change of an announcement.</summary>
    private static string Digest(AnnouncedModel model) => string.Join('\n', (object[])[
        model.Name, model.Version, model.State, model.Reason, model.Hash, model.Wish, model.Instances, model.MaxBatchSize, model.Settings.VersionPolicy, model.Settings.IsSticky,
        model.Settings.StickyHeader, string.Join(',', model.Settings.Traffic), model.Settings.Threads, model.Settings.MaxQueueDelayMicroseconds, string.Join(',', model.Settings.PreferredBatchSizes)]);

    private HeldVersion Hold(string model, string version)
    {
        if (!_held.TryGetValue((model, version), out var held))
            _held.Add((model, version), held = new HeldVersion(model, version));
        return held;
    }
}
