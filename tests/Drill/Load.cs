using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Drill;

/// <summary>Jobs and synchronous calls at a steady pace through the Service. Each request has a connection of its own, so that it goes where the Service says now.</summary>
internal sealed class Load : IAsyncDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);
    private readonly ConcurrentDictionary<string, bool> _accepted = new();
    private readonly HttpClient _client;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Task, bool> _running = new(); // and those that went wrong
    private readonly Task _loop;
    private int _repeats, _calls, _failedCalls;

    public Load(string url)
    {
        _client = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 500 }) { BaseAddress = new Uri(url), Timeout = TimeSpan.FromSeconds(30) };
        _client.DefaultRequestHeaders.ConnectionClose = true;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Jobs every tenth of a second.</summary>
    public int JobsATick { get; set; } = 1;

    /// <summary>Synchronous calls every tenth of a second.</summary>
    public int CallsATick { get; set; } = 1;

    public int Accepted => _accepted.Count;

    /// <summary>Submissions without an answer, or with a 5xx; each was repeated under its key until it was accepted.</summary>
    public int Repeats => _repeats;

    public int Calls => _calls;

    public int FailedCalls => _failedCalls;

    /// <summary>Sends nothing new any more, and returns when what was begun has been accepted.</summary>
    /// <exception cref="InvalidOperationException">The server refused what was right, or answered two submissions with one job.</exception>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        await Task.WhenAll(_running.Keys);
    }

    /// <returns>How many accepted jobs have not succeeded, with what they are instead.</returns>
    public async Task<IReadOnlyDictionary<string, int>> ReadAllAsync()
    {
        var others = new ConcurrentDictionary<string, int>();
        await Parallel.ForEachAsync(_accepted.Keys, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (job, cancellation) =>
        {
            var state = await EndAsync(job, cancellation);
            if (state != "succeeded")
                others.AddOrUpdate(state, 1, static (_, before) => before + 1);
        });
        return others;
    }

    /// <summary>Leaves what is still under way to itself: whoever wants its end asks for it before.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _client.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var scan = 0;
        while (!_stopping.IsCancellationRequested)
        {
            for (var at = 0; at < JobsATick; at++)
                Keep(SubmitAsync(scan++));
            for (var at = 0; at < CallsATick; at++)
                Keep(CallAsync(scan++));
            try { await Task.Delay(Tick, TimeProvider.System, _stopping.Token); }
            catch (OperationCanceledException) { } // told to end
        }
    }

    private void Keep(Task task)
    {
        _running[task] = true;
        task.ContinueWith(t => t.IsCompletedSuccessfully && _running.TryRemove(t, out _), TaskScheduler.Default);
    }

    private async Task SubmitAsync(int scan)
    {
        var body = JsonSerializer.Serialize(Bodies.Job("digits", Digits.Inference(Digits.Scans[scan % Digits.Scans.Count]), m => m["max_attempts"] = 10));
        var key = Guid.NewGuid().ToString("N");
        while (true)
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/jobs") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
                request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
                using var answer = await _client.SendAsync(request);
                if (answer.IsSuccessStatusCode)
                {
                    if (!_accepted.TryAdd(answer.Headers.Location!.ToString(), true))
                        throw new InvalidOperationException($"Two submissions got {answer.Headers.Location}.");
                    return;
                }
                if ((int)answer.StatusCode < 500)
                    throw new InvalidOperationException($"A job was refused: {await answer.Content.ReadAsStringAsync()}");
            }
            catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException) { } // repeated under its key
            Interlocked.Increment(ref _repeats);
            await Task.Delay(Tick * 5, TimeProvider.System, CancellationToken.None);
        }
    }

    private async Task CallAsync(int scan)
    {
        Interlocked.Increment(ref _calls);
        try
        {
            using var content = new StringContent(JsonSerializer.Serialize(Digits.Inference(Digits.Scans[scan % Digits.Scans.Count])), Encoding.UTF8, "application/json");
            using var answer = await _client.PostAsync("/v2/models/digits/infer", content);
            if (!answer.IsSuccessStatusCode)
                Interlocked.Increment(ref _failedCalls);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException) { Interlocked.Increment(ref _failedCalls); }
    }

    private async Task<string> EndAsync(string job, CancellationToken cancellation)
    {
        for (var tries = 0; tries < 30; tries++)
        {
            try
            {
                using var answer = await _client.GetAsync($"{job}?wait=20", cancellation);
                if (answer.StatusCode == System.Net.HttpStatusCode.NotFound)
                    return "unknown";
                if (answer.IsSuccessStatusCode && (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync(cancellation))!["state"]! is var state and not ("queued" or "running"))
                    return state;
            }
            catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException) { } // ask again
            await Task.Delay(Tick, TimeProvider.System, cancellation);
        }
        return "unfinished";
    }
}
