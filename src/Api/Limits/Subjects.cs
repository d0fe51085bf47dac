using System.Collections.Concurrent;

namespace Millrace.Api.Limits;

/// <summary>What is kept of each of those who are counted. Their number is bounded, since whoever calls can make them up: of more, the oldest are forgotten.</summary>
/// <param name="age">The smaller, the sooner it is forgotten.</param>
internal sealed class Subjects<T>(Func<T, long> age) where T : class
{
    private const int Most = 100_000;

    private readonly ConcurrentDictionary<string, T> _all = new();
    private readonly Lock _sweeping = new();

    public int Count => _all.Count;

    public T GetOrAdd(string subject, Func<T> create)
    {
        if (_all.Count >= Most)
            Sweep();
        return _all.GetOrAdd(subject, static (_, make) => make(), create);
    }

    public T? Find(string subject) => _all.GetValueOrDefault(subject);

    public void Forget(Func<T, bool> which)
    {
        foreach (var (subject, kept) in _all)
        {
            if (which(kept))
                _all.TryRemove(subject, out _);
        }
    }

    private void Sweep()
    {
        lock (_sweeping)
        {
            if (_all.Count < Most)
                return;
            foreach (var (subject, _) in _all.OrderBy(s => age(s.Value)).Take(Most / 10).ToArray())
                _all.TryRemove(subject, out _);
        }
    }
}
