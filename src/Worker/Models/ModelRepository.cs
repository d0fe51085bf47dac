using Microsoft.Extensions.Logging;
using Millrace.Hosting.Configuration;
using Millrace.Storage.Announcements;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Models;

/// <summary>The folder with the models: what lies there, and how a version of it is loaded.</summary>
internal sealed class ModelRepository(ModelsOptions options, WorkerOptions worker, ILogger<ModelRepository> logger)
{
    /// <summary>A file that was written before that is complete, as far as one can tell.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ShortLook = TimeSpan.FromMilliseconds(200);

    private readonly RepositoryScan _scan = new(logger);
    private readonly HashSet<string> _wanted = [.. options.Names.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];

    /// <summary>What a repository without models should have had.</summary>
    public string Expectation => $"{Path.GetFullPath(options.Path)} has no model; expected {{name}}/{{version}}/model.onnx, as in digits/1/model.onnx, or {{name}}.onnx";

    /// <summary>All models that this worker serves.</summary>
    /// <exception cref="IOException">The folder can't be read now.</exception>
    public IReadOnlyList<FoundModel> Scan() => Scan(Root() ?? throw new DirectoryNotFoundException($"There is no folder {options.Path}"));

    /// <summary>The first look: what was being written just now is looked at again after a moment, so that no half file is loaded.</summary>
    /// <exception cref="StartupException">There is no folder, or a model is named that is not there.</exception>
    public async Task<IReadOnlyList<FoundModel>> ScanFirstAsync(CancellationToken cancellation)
    {
        OrtSilence.Keep();
        RunArena.Open(worker.MaxRunBytes);
        if (Root() is not { } root)
            throw new StartupException($"Millrace:Models:Path: there is no folder {Path.GetFullPath(options.Path)}");
        var found = _scan.Run(root);
        if (_wanted.Except(found.Select(f => f.Name)).Order().ToArray() is { Length: > 0 } missing)
            throw new StartupException($"Millrace:Models:Names: there is no model {string.Join(", ", missing)} in {Path.GetFullPath(options.Path)}; it has {string.Join(", ", found.Select(f => f.Name))}");
        var models = Wanted(found);
        if (models.SelectMany(m => m.Versions).All(IsOld))
            return models;
        await Task.Delay(ShortLook, TimeProvider.System, cancellation);
        var before = models.SelectMany(m => m.Versions).ToDictionary(v => (v.Name, v.Version), v => v.Files);
        return Scan(root).Select(m => m with { Versions = m.Versions.Where(v => IsOld(v) || before.GetValueOrDefault((v.Name, v.Version)) == v.Files).ToArray() }).ToArray();
    }

    /// <summary>Loads all there is, once. A version that can't be loaded is reported and left out.</summary>
    /// <exception cref="StartupException">There is no folder, no model in it, or none that loads.</exception>
    public async Task<(IReadOnlyList<LoadedModel> Loaded, IReadOnlyList<AnnouncedModel> Broken)> LoadAllAsync()
    {
        var loaded = new List<LoadedModel>();
        var broken = new List<AnnouncedModel>();
        foreach (var model in await ScanFirstAsync(CancellationToken.None))
        {
            var ready = 0;
            foreach (var version in model.Versions.Reverse().Where(v => model.Config.VersionPolicy.Allows(v.Version)).TakeWhile(_ => ready < model.Config.VersionPolicy.Most))
            {
                var outcome = Load(model, version, null);
                if (outcome is LoadOutcome.Loaded(var done))
                    loaded.Add(done);
                else if (outcome is LoadOutcome.Failed(var reason))
                    broken.Add(new AnnouncedModel { Name = version.Name, Version = version.Version, State = ModelState.Unavailable, Reason = reason });
                ready += outcome is LoadOutcome.Loaded ? 1 : 0;
            }
        }
        MustHave(loaded.Count, broken);
        loaded.Reverse(); // as they are listed: oldest first
        return (loaded, broken);
    }

    /// <exception cref="StartupException">There is no model, or none that loads.</exception>
    public void MustHave(int loaded, IReadOnlyCollection<AnnouncedModel> broken)
    {
        if (loaded == 0 && broken.Count == 0)
            throw new StartupException($"Millrace:Models:Path: {Expectation}");
        if (loaded == 0)
        {
            throw new StartupException($"Millrace:Models:Path: no model in {Path.GetFullPath(options.Path)} can be loaded: "
                + string.Join("; ", broken.Select(b => $"{b.Name}/{b.Version}: {b.Reason}")));
        }
    }

    /// <param name="present">What is loaded of that version; it is kept when the files are the same. Null: loads in any case.</param>
    public LoadOutcome Load(FoundModel model, FoundVersion version, LoadedModel? present)
    {
        var reason = model.Fault;
        try
        {
            if (reason is null)
            {
                using var source = ModelSource.Read(version, model.Config, Root() ?? throw new InvalidDataException("the repository is not there any more"), options);
                if (present is not null && present.Fingerprint == source.Fingerprint && model.Config.RunsAs(present.Config))
                    return new LoadOutcome.Same();
                var loaded = LoadedModel.Load(source, model.Config);
                logger.ModelLoaded(version.Name, version.Version, loaded.Instances, loaded.MaxBatchSize);
                if (loaded.Instances * model.Config.Threads > Environment.ProcessorCount)
                    logger.MoreThanCores(version.Name, version.Version, loaded.Instances, model.Config.Threads, Environment.ProcessorCount);
                return new LoadOutcome.Loaded(loaded);
            }
        }
        catch (InvalidDataException error) { reason = error.Message; }
        catch (Exception error) { reason = RunFailure.Clean(error.Message); } // ONNX Runtime's, the file system's, or a surprise: the other models must not suffer from it
        logger.ModelBroken(version.Name, version.Version, reason);
        return new LoadOutcome.Failed(reason);
    }

    private IReadOnlyList<FoundModel> Scan(string root) => Wanted(_scan.Run(root));

    private FoundModel[] Wanted(IReadOnlyList<FoundModel> found) => found.Where(f => _wanted.Count == 0 || _wanted.Contains(f.Name)).ToArray();

    private string? Root() => ModelFile.Resolve(Path.GetFullPath(options.Path));

    private static bool IsOld(FoundVersion version) => version.WrittenAt < TimeProvider.System.GetUtcNow() - LongestPause; // files are written by the system's clock
}

/// <summary>What became of a version that was to be loaded.</summary>
internal abstract record LoadOutcome
{
    private LoadOutcome() { } // closed: every outcome stands below

    internal sealed record Loaded(LoadedModel Model) : LoadOutcome;

    /// <summary>It is what is loaded already.</summary>
    internal sealed record Same : LoadOutcome;

    internal sealed record Failed(string Reason) : LoadOutcome;
}
