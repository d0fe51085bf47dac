using Prometheus;

namespace Millrace.Rollback;

internal sealed class RollbackMetrics
{
    private readonly CollectorRegistry _registry = Metrics.NewCustomRegistry();
    private readonly Counter _rollbacks;
    private readonly Gauge _last;

    public RollbackMetrics()
    {
        var metrics = Metrics.WithCustomRegistry(_registry);
        _rollbacks = metrics.CreateCounter("millrace_rollbacks_total", "Webhooks and resumptions, by what came of them.", "outcome");
        _last = metrics.CreateGauge("millrace_rollback_last_timestamp_seconds", "When the release was last rolled back; 0 when never.");
        foreach (var outcome in Enum.GetValues<Outcome>())
            _rollbacks.WithLabels(Name(outcome));
    }

    public void Count(Outcome outcome) => _rollbacks.WithLabels(Name(outcome)).Inc();

    public void Last(DateTimeOffset at) => _last.Set(at.ToUnixTimeMilliseconds() / 1000.0);

    public Task WriteAsync(Stream stream, CancellationToken cancellation) => _registry.CollectAndExportAsTextAsync(stream, cancellation);

    private static string Name(Outcome outcome) => outcome switch
    {
        Outcome.RolledBack => "rolled_back",
        Outcome.Refused => "refused",
        Outcome.NotReady => "not_ready",
        Outcome.Failed => "failed",
        _ => throw new System.Diagnostics.UnreachableException($"No name for {outcome}"),
    };
}

internal enum Outcome
{
    RolledBack,
    Refused,
    NotReady,
    Failed,
}
