using System.Collections.Concurrent;

namespace Millrace.Api.Limits;

/// <param name="Left">Of the window's quota.</param>
/// <param name="ResetSeconds">Whole seconds to the end of the window, from 1.</param>
internal readonly record struct RateDecision(bool Allowed, int Limit, int Left, int ResetSeconds);

/// <summary>Counts of the present minute, of this process alone. What is counted is bounded: of more, the oldest are forgotten.</summary>
internal sealed class LocalWindows(TimeProvider time)
{
    public const int MostSubjects = 100_000;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, Count> _counts = new();
    private readonly Lock _sweeping = new();

    public int Subjects => _counts.Count;

    public RateDecision Take(string subject, int limit)
    {
        if (_counts.Count >= MostSubjects)
            Sweep();
        var now = time.GetTimestamp();
        var count = _counts.GetOrAdd(subject, _ => new Count(now));
        lock (count)
        {
            if (time.GetElapsedTime(count.Since, now) >= Window)
                (count.Since, count.Used) = (now, 0);
            var reset = Math.Max(1, (int)Math.Ceiling((Window - time.GetElapsedTime(count.Since, now)).TotalSeconds));
            if (count.Used >= limit)
                return new RateDecision(false, limit, 0, reset);
            count.Used++;
            return new RateDecision(true, limit, limit - count.Used, reset);
        }
    }

    private void Sweep()
    {
        lock (_sweeping)
        {
            if (_counts.Count < MostSubjects)
                return;
            foreach (var (subject, _) in _counts.OrderBy(c => c.Value.Since).Take(MostSubjects / 10).ToArray())
                _counts.TryRemove(subject, out _);
        }
    }

    private sealed class Count(long since)
    {
        public long Since { get; set; } = since;
        public int Used { get; set; }
    }
}
