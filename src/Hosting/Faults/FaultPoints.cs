using System.Collections.Concurrent;
using System.Globalization;

namespace Millrace.Hosting.Faults;

/// <summary>Named places in the code where a test can make something fail. Refused when the environment is Production.</summary>
public sealed class FaultPoints
{
    private readonly Dictionary<string, Fault> _faults;
    private readonly ConcurrentDictionary<string, int> _hits = new();

    /// <param name="plan">As <c>in_run:flaky=throw@2</c>: at this point, for this subject (left out: any), throw on the first two hits.</param>
    /// <exception cref="FormatException">The plan can't be read.</exception>
    public FaultPoints(string plan)
    {
        var faults = plan.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Fault.Parse).ToArray();
        if (faults.GroupBy(f => f.Point).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new FormatException($"{twice.Key} is named twice.");
        _faults = faults.ToDictionary(f => f.Point);
    }

    /// <param name="point">The place, as <c>in_run</c>.</param>
    /// <param name="subject">What it is about to do it to, as a model's name.</param>
    /// <exception cref="InjectedFaultException">The plan says so.</exception>
    public void Hit(string point, string subject)
    {
        if (_faults.Count == 0)
            return;
        if (!_faults.TryGetValue($"{point}:{subject}", out var fault) && !_faults.TryGetValue(point, out fault))
            return;
        if (_hits.AddOrUpdate(fault.Point, 1, (_, hits) => hits + 1) <= fault.Hits)
            throw new InjectedFaultException($"Fault point {fault.Point}.");
    }

    private sealed record Fault(string Point, int Hits)
    {
        public static Fault Parse(string text)
        {
            var parts = text.Split('=', '@');
            if (parts is not [var point, "throw", var hits] || !int.TryParse(hits, NumberStyles.None, CultureInfo.InvariantCulture, out var count))
                throw new FormatException($"'{text}' is not of the form point[:subject]=throw@hits.");
            return new Fault(point, count);
        }
    }
}

/// <summary>A failure that a test asked for.</summary>
public sealed class InjectedFaultException : Exception
{
    public InjectedFaultException() { }
    public InjectedFaultException(string message) : base(message) { }
    public InjectedFaultException(string message, Exception inner) : base(message, inner) { }
}
