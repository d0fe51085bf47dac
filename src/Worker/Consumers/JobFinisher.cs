using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Faults;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;
using Millrace.Storage;
using Millrace.Storage.Jobs;

namespace Millrace.Worker.Consumers;

/// <summary>Writes the ends of attempts, all that wait in one transaction, and tells who listens.</summary>
internal sealed class JobFinisher : IAsyncDisposable
{
    private const int LargestGroup = 256;
    private static readonly TimeSpan RetryStoreAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestGoodbye = TimeSpan.FromSeconds(3);

    private readonly Channel<Entry> _waiting = Channel.CreateUnbounded<Entry>(new UnboundedChannelOptions { SingleReader = true });
    private readonly IClaimStore _store;
    private readonly IEventBus _events;
    private readonly JobMetrics _metrics;
    private readonly FaultPoints _faults;
    private readonly TimeProvider _time;
    private readonly ILogger<JobFinisher> _logger;
    private readonly CancellationTokenSource _giveUp = new();
    private readonly Task _loop;

    public JobFinisher(IClaimStore store, IEventBus events, JobMetrics metrics, FaultPoints faults, TimeProvider time, ILogger<JobFinisher> logger)
    {
        (_store, _events, _metrics, _faults, _time, _logger) = (store, events, metrics, faults, time, logger);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Returns when the end is committed, or was refused because the job is somebody else's now.</summary>
    public Task FinishAsync(string model, AttemptEnd end)
    {
        var entry = new Entry(model, end);
        _waiting.Writer.TryWrite(entry);
        return entry.Done.Task;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_waiting.Writer.TryComplete())
            return; // disposed before
        _giveUp.CancelAfter(LongestGoodbye); // with the store away, the leases end instead
        await _loop;
        _giveUp.Dispose();
    }

    private async Task RunAsync()
    {
        var group = new List<Entry>();
        while (await _waiting.Reader.WaitToReadAsync())
        {
            while (group.Count < LargestGroup && _waiting.Reader.TryRead(out var entry))
                group.Add(entry);
            try { await FinishAsync(group); }
            catch (Exception error) { _logger.FinishBroke(error, group.Count); } // the leases end, and the jobs run again
            foreach (var entry in group)
                entry.Done.TrySetResult();
            group.Clear();
        }
    }

    private async Task FinishAsync(List<Entry> group)
    {
        var outcomes = await WriteAsync(group.Select(e => e.End).ToArray());
        _faults.Hit(Points.AfterFinish, group[0].Model);
        for (var at = 0; at < group.Count; at++)
            _metrics.AttemptEnded(group[at].Model, group[at].End, outcomes[at]);
        var ended = group.Where((entry, at) => outcomes[at] == FinishOutcome.Ended);
        foreach (var model in ended.GroupBy(e => e.Model))
            await _events.PublishAsync(new JobsFinished { Model = model.Key, JobIds = model.Select(e => e.End.Id.Value).ToArray(), ByRun = true }, CancellationToken.None);
    }

    private async Task<IReadOnlyList<FinishOutcome>> WriteAsync(AttemptEnd[] ends)
    {
        for (var tries = 0; ; tries++)
        {
            try { return await _store.FinishAsync(ends, CancellationToken.None); }
            catch (StoreUnavailableException error)
            {
                if (tries == 0)
                    _logger.FinishFailed(ends.Length, error.Message);
                await Task.Delay(RetryStoreAfter, _time, _giveUp.Token); // a repeat is safe: the fence lets an end be written once
            }
        }
    }

    private sealed record Entry(string Model, AttemptEnd End)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
