using System.Globalization;
using Microsoft.Extensions.Logging;
using Millrace.Api.Models;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Telemetry;
using Millrace.Storage.Models;
using Prometheus;

namespace Millrace.Api.Traffic;

/// <summary>Takes a version on trial out of the traffic when it answers too slowly or fails too often, and says so. It stays out, in every replica, until it is released
/// or another file takes its place.</summary>
/// <remarks>Each replica judges by what its own clients saw: of few calls, each may see too few to judge.</remarks>
internal sealed class CanaryGuard : PassLoop
{
    /// <summary>A fault that the main version has too is not the trial's, if the trial is not worse by half.</summary>
    private const double AsBad = 1.5;
    private const double FivePercent = 0.05;

    private readonly ModelCatalog _catalog;
    private readonly CatalogRefresh _refresh;
    private readonly TrafficMeter _meter;
    private readonly IModelStore _store;
    private readonly TrafficOptions _options;
    private readonly ILogger _logger;
    private readonly Counter _held;
    private HashSet<(string Model, string Version, string Hash)> _out = [];

    public CanaryGuard(
        ModelCatalog catalog, CatalogRefresh refresh, TrafficMeter meter, IModelStore store, TrafficOptions options, Instruments instruments, TimeProvider time, ILogger<CanaryGuard> logger)
        : base(TimeSpan.FromSeconds(1), time, logger)
    {
        (_catalog, _refresh, _meter, _store, _options, _logger) = (catalog, refresh, meter, store, options, logger);
        _held = instruments.Counter("millrace_canary_held_back_total", "Versions on trial that this replica took out of the traffic, as too slow or failing too often.", "model");
    }

    public override async Task RunOnceAsync(CancellationToken cancellation)
    {
        var splits = _catalog.All.Select(m => m.Split).OfType<TrafficSplit>().ToArray();
        _meter.KeepOnly(splits.SelectMany(s => s.Versions));
        ForgetReleased(splits);
        foreach (var split in splits.Where(s => s.Main is not null))
        {
            foreach (var trial in split.OnTrial)
            {
                if (Fault(_meter.Read(trial), _meter.Read(split.Main!)) is { } fault)
                    await HoldBackAsync(trial, fault, cancellation);
            }
        }
    }

    /// <summary>A version that comes back begins anew, or it would be taken out again for what it was taken out for.</summary>
    private void ForgetReleased(TrafficSplit[] splits)
    {
        foreach (var version in splits.SelectMany(s => s.Versions).Where(v => v.HeldBack is null && _out.Contains((v.Model, v.Version, v.Hash))))
            _meter.Forget(version);
        _out = [.. splits.SelectMany(s => s.Versions).Where(v => v.HeldBack is not null).Select(v => (v.Model, v.Version, v.Hash))];
    }

    private async Task HoldBackAsync(ServedVersion trial, string fault, CancellationToken cancellation)
    {
        if (await _store.HoldBackAsync(trial.Model, trial.Version, trial.Hash, fault, cancellation)) // else another replica was first
        {
            _held.WithLabels(trial.Model).Inc();
            _logger.HeldBack(trial.Version, trial.Model, fault);
        }
        _out.Add((trial.Model, trial.Version, trial.Hash));
        await _refresh.RunOnceAsync(cancellation);
    }

    private string? Fault(CallCounts trial, CallCounts main)
    {
        if (trial.Calls < _options.LeastCalls)
            return null;
        var mainIsKnown = main.Calls >= _options.LeastCalls;
        if (trial.Errors > _options.MostErrors * trial.Calls
            && !(mainIsKnown && main.Errors > _options.MostErrors * main.Calls && trial.ErrorRatio <= AsBad * main.ErrorRatio))
            return Text($"{Percent(trial.ErrorRatio)} of {trial.Calls} calls failed, of {main.Calls} to the main version {Percent(main.ErrorRatio)}; {Percent(_options.MostErrors)} may");
        if (trial.Slow > FivePercent * trial.Calls && !(mainIsKnown && main.Slow > FivePercent * main.Calls && trial.P95 <= AsBad * main.P95))
            return Text($"P95 of {trial.Calls} calls was {trial.P95:0.###} s, of {main.Calls} to the main version {main.P95:0.###} s; {_options.LongestP95.TotalSeconds:0.###} s may be");
        return null;
    }

    private static string Percent(double ratio) => Text($"{100 * ratio:0.##} %");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
