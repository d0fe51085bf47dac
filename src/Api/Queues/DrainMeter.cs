using System.Collections.Concurrent;
using Millrace.Hosting.Broker;
using Millrace.Messages;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Queues;

/// <summary>How fast each model's queue drains: jobs that ended in the last half minute, as every process hears of them.</summary>
internal sealed class DrainMeter : IDisposable
{
    private const int Seconds = 30;

    private readonly ConcurrentDictionary<string, Ring> _models = new();
    private readonly TimeProvider _time;
    private readonly IDisposable _subscription;

    public DrainMeter(IEventBus events, TimeProvider time)
    {
        _time = time;
        _subscription = events.Subscribe<JobsFinished>(m => _models.GetOrAdd(m.Model, _ => new Ring()).Add(Second(), m.JobIds.Count, m.ByRun));
    }

    /// <summary>Jobs that were run to their end since this process began.</summary>
    public long Ran(string model) => _models.TryGetValue(model, out var ring) ? ring.Total : 0;

    /// <summary>Jobs a second.</summary>
    public double PerSecond(string model) => _models.TryGetValue(model, out var ring) ? ring.Rate(Second()) : 0;

    /// <summary>Null where nothing drained lately, so that nothing can be said.</summary>
    public DateTime? EstimateStart(Job job, int? position)
    {
        if (position is not { } before || PerSecond(job.Model) is not (> 0 and var rate))
            return null;
        var start = _time.GetUtcNow().AddSeconds(before / rate);
        return (job.NotBefore > start ? job.NotBefore.Value : start).UtcDateTime;
    }

    public void Dispose() => _subscription.Dispose();

    private long Second() => _time.GetTimestamp() / _time.TimestampFrequency;

    private sealed class Ring
    {
        private readonly Lock _gate = new();
        private readonly long[] _counts = new long[Seconds];
        private long? _first;
        private long _last;
        private long _total;

        public long Total => Volatile.Read(ref _total);

        public void Add(long second, int count, bool byRun)
        {
            lock (_gate)
            {
                _total += byRun ? count : 0;
                Advance(second);
                _counts[second % Seconds] += count;
            }
        }

        public double Rate(long second)
        {
            lock (_gate)
            {
                Advance(second);
                return _counts.Sum() / (double)Math.Clamp(second - _first!.Value + 1, 1, Seconds);
            }
        }

        private void Advance(long second)
        {
            _first ??= second;
            for (var at = Math.Max(_last + 1, second - Seconds + 1); at <= second; at++)
                _counts[at % Seconds] = 0;
            _last = Math.Max(_last, second);
        }
    }
}
