namespace Millrace.Api.Backlog;

/// <summary>How much ends in a second while there is enough to do: what a queue can do, not what it is asked to do.</summary>
/// <param name="memory">Older times count less, by half after two thirds of this.</param>
/// <param name="least">So much busy time must have been seen before anything is said.</param>
internal sealed class BusyRate(TimeSpan memory, TimeSpan least, TimeProvider time)
{
    /// <summary>A single end says no more than this about the time before it.</summary>
    private const double LongestGap = 60;

    private readonly Lock _gate = new();
    private double _ended;
    private double _seconds;
    private long _since;

    public double? PerSecond
    {
        get
        {
            lock (_gate)
                return _seconds >= least.TotalSeconds && _ended > 0 ? _ended / _seconds : null;
        }
    }

    /// <summary>From now on there is something to do; before, there was not.</summary>
    public void Begin()
    {
        lock (_gate)
            _since = time.GetTimestamp();
    }

    /// <summary>So much has ended since the last call.</summary>
    public void End(int count)
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            var seconds = Math.Min(time.GetElapsedTime(_since, now).TotalSeconds, LongestGap);
            var fade = Math.Exp(-seconds / memory.TotalSeconds);
            _ended = (_ended * fade) + count;
            _seconds = (_seconds * fade) + seconds;
            _since = now;
        }
    }
}
