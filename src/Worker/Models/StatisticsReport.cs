using Microsoft.Extensions.Logging;
using Millrace.Hosting.Lifecycle;
using Millrace.Storage.Models;

namespace Millrace.Worker.Models;

/// <summary>Writes what the versions did to the store, each second in which they did something.</summary>
internal sealed class StatisticsReport(ModelHost models, IModelStore store, WorkerIdentity worker, WorkerOptions options, TimeProvider time, ILogger<StatisticsReport> logger)
    : PassLoop(TimeSpan.FromSeconds(1), time, logger)
{
    private IReadOnlyList<(long, long, long, long)> _reported = [];

    public override async Task RunOnceAsync(CancellationToken cancellation)
    {
        if (options.Standby)
            return;
        var statistics = models.Statistics;
        var digest = statistics.Select(s => (s.ExecutionCount, s.Success.Count, s.Fail.Count, s.MemoryBytes)).ToArray();
        if (digest.SequenceEqual(_reported))
            return;
        await store.ReportAsync(worker.Id, statistics, cancellation);
        _reported = digest;
    }
}
