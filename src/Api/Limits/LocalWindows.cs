namespace Millrace.Api.Limits;

/// <param name="Left">Of the window's quota.</param>
/// <param name="ResetSeconds">Whole seconds to the end of the window, from 1.</param>
internal readonly record struct RateDecision(bool Allowed, int Limit, int Left, int ResetSeconds);

/// <summary>Counts of the present minute, of this process alone.</summary>
internal sealed class LocalWindows(TimeProvider time)
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Subjects<Count> _counts = new(count => count.Since);

    public RateDecision Take(string subject, int limit)
    {
        var now = time.GetTimestamp();
        var count = _counts.GetOrAdd(subject, () => new Count(now));
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

    private sealed class Count(long since)
    {
        public long Since { get; set; } = since;
        public int Used { get; set; }
    }
}
