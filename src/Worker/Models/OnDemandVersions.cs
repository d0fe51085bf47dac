using System.Collections.Concurrent;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Models;

/// <summary>Jobs that were made for a version which is not served any more, and wait to hear whether it can be loaded for them.</summary>
internal sealed class OnDemandVersions
{
    private readonly ConcurrentDictionary<(string Model, string Version), TaskCompletionSource<RunOutcome?>> _wanted = new();
    private volatile bool _closed;

    /// <summary>Something is wanted.</summary>
    public event Action? Wanted;

    public IReadOnlyCollection<(string Model, string Version)> All => [.. _wanted.Keys];

    /// <returns>Null when the version is here now, else how the job's attempt ends.</returns>
    public Task<RunOutcome?> WantAsync(string model, string version)
    {
        var answer = _wanted.GetOrAdd((model, version), _ => new TaskCompletionSource<RunOutcome?>(TaskCreationOptions.RunContinuationsAsynchronously));
        if (_closed)
            Answer(model, version, new RunOutcome.GivenBack());
        Wanted?.Invoke();
        return answer.Task;
    }

    public void Answer(string model, string version, RunOutcome? end)
    {
        if (_wanted.TryRemove((model, version), out var answer))
            answer.TrySetResult(end);
    }

    /// <summary>The worker leaves: all is given back.</summary>
    public void Close()
    {
        _closed = true;
        foreach (var (model, version) in All)
            Answer(model, version, new RunOutcome.GivenBack());
    }
}
