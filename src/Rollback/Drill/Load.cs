using System.Collections.Concurrent;

namespace Millrace.Rollback.Drill;

/// <summary>Jobs and synchronous calls by turns, at a steady pace, until told to stop. Every accepted job is remembered.</summary>
internal sealed class Load(ApiClient api, DrillOptions options, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Requests without an answer at once; more would be a test of load.</summary>
    private const int MostAtOnce = 50;

    /// <summary>That are counted at once.</summary>
    private const int Readers = 8;

    private readonly ConcurrentDictionary<string, bool> _jobs = new();
    private readonly ConcurrentDictionary<Task, bool> _running = new();
    private readonly CancellationTokenSource _stopping = new(), _leaving = new();
    private Task _loop = Task.CompletedTask;
    private string? _refusal;
    private int _calls, _failedCalls, _unanswered;

    /// <summary>Without, only jobs.</summary>
    public bool HasCalls { get; set; } = true;

    public int Accepted => _jobs.Count;

    public int Calls => _calls;

    public int FailedCalls => _failedCalls;

    /// <summary>Submissions of which is not known whether they were accepted.</summary>
    public int Unanswered => _unanswered;

    /// <summary>Why a job was refused for good, if one was.</summary>
    public string? Refusal => _refusal;

    public void Start() => _loop = LoopAsync();

    /// <summary>Sends nothing new; returns when what was begun is answered, or at the cancellation.</summary>
    public async Task StopAsync(CancellationToken cancellation)
    {
        await _stopping.CancelAsync();
        await _loop;
        await using (cancellation.UnsafeRegister(static leaving => ((CancellationTokenSource)leaving!).Cancel(), _leaving))
            await Task.WhenAll(_running.Keys);
    }

    /// <returns>How many jobs are in which state, when all have ended or at the cancellation.</returns>
    public async Task<IReadOnlyDictionary<string, int>> CountAsync(CancellationToken cancellation)
    {
        var states = new ConcurrentDictionary<string, int>();
        await Parallel.ForEachAsync(_jobs.Keys, new ParallelOptions { MaxDegreeOfParallelism = Readers }, async (job, _) =>
            states.AddOrUpdate(await EndAsync(job, cancellation), 1, static (_, before) => before + 1));
        return states;
    }

    public async ValueTask DisposeAsync()
    {
        await _leaving.CancelAsync();
        await StopAsync(CancellationToken.None);
        _stopping.Dispose();
        _leaving.Dispose();
    }

    private async Task LoopAsync()
    {
        for (var turn = 0; !_stopping.IsCancellationRequested; turn++)
        {
            if (_running.Count < MostAtOnce)
                Keep(HasCalls && turn % 2 == 1 ? CallAsync() : SubmitAsync());
            try { await Task.Delay(options.Pace, time, _stopping.Token); }
            catch (OperationCanceledException) { } // told to end
        }
    }

    private void Keep(Task task)
    {
        _running[task] = true;
        task.ContinueWith(t => _running.TryRemove(t, out _), TaskScheduler.Default);
    }

    private async Task CallAsync()
    {
        Interlocked.Increment(ref _calls);
        try
        {
            if (!await api.CallAsync(_leaving.Token))
                Interlocked.Increment(ref _failedCalls);
        }
        catch (OperationCanceledException) { } // leaving
    }

    private async Task SubmitAsync()
    {
        var key = Guid.NewGuid().ToString("N");
        try
        {
            while (true)
            {
                if (await api.SubmitAsync(key, _leaving.Token) is { } job)
                {
                    _jobs[job] = true;
                    return;
                }
                await Task.Delay(options.Pace, time, _leaving.Token);
            }
        }
        catch (OperationCanceledException) { Interlocked.Increment(ref _unanswered); } // leaving
        catch (HttpRequestException error) { _refusal ??= error.Message; }
    }

    private async Task<string> EndAsync(string job, CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                if (await api.StateAsync(job, cancellation) is { } state and not ("queued" or "running"))
                    return state;
                await Task.Delay(options.Poll, time, cancellation);
            }
        }
        catch (OperationCanceledException) { return "unfinished"; }
    }
}
