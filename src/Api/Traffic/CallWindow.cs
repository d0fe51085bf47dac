namespace Millrace.Api.Traffic;

/// <param name="Slow">Calls that took longer than may 95 of 100.</param>
/// <param name="P95">In seconds, to a seventh part.</param>
internal readonly record struct CallCounts(int Calls, int Errors, int Slow, double P95)
{
    public double ErrorRatio => Calls == 0 ? 0 : (double)Errors / Calls;
}

/// <summary>The calls of the last minutes, in slices of which the oldest is forgotten.</summary>
internal sealed class CallWindow(TimeSpan window, TimeSpan slow, TimeProvider time)
{
    private const int Slices = 30;
    private const double Step = 1.15;
    private const double Least = 0.001;
    private const int Steps = 80; // up to 70 s

    private readonly Lock _gate = new();
    private readonly Slice[] _slices = [.. Enumerable.Range(0, Slices).Select(_ => new Slice())];
    private readonly long _began = time.GetTimestamp();

    public void Add(bool failed, TimeSpan took)
    {
        lock (_gate)
        {
            var now = Now;
            var slice = _slices[now % Slices];
            if (slice.Number != now)
                slice.Begin(now);
            slice.Calls++;
            slice.Errors += failed ? 1 : 0;
            slice.Slow += took > slow ? 1 : 0;
            slice.Times[Math.Clamp((int)Math.Ceiling(Math.Log(took.TotalSeconds / Least) / Math.Log(Step)), 0, Steps - 1)]++;
        }
    }

    public CallCounts Read()
    {
        lock (_gate)
        {
            var now = Now;
            var young = _slices.Where(s => s.Number > now - Slices).ToArray();
            var calls = young.Sum(s => s.Calls);
            return new CallCounts(calls, young.Sum(s => s.Errors), young.Sum(s => s.Slow), P95(young, calls));
        }
    }

    private long Now => time.GetElapsedTime(_began).Ticks / (window.Ticks / Slices);

    private static double P95(Slice[] slices, int calls)
    {
        var below = 0;
        for (var step = 0; step < Steps && calls > 0; step++)
        {
            below += slices.Sum(s => s.Times[step]);
            if (below >= 0.95 * calls)
                return Least * Math.Pow(Step, step);
        }
        return 0;
    }

    private sealed class Slice
    {
        public long Number = long.MinValue;
        public int Calls;
        public int Errors;
        public int Slow;
        public readonly int[] Times = new int[Steps];

        public void Begin(long number)
        {
            (Number, Calls, Errors, Slow) = (number, 0, 0, 0);
            Array.Clear(Times);
        }
    }
}
