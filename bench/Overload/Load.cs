using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text;
using Millrace.Bench;

namespace Millrace.Overload;

/// <param name="Milliseconds">From when it was due to leave until its answer.</param>
internal readonly record struct Call(HttpStatusCode Status, double Milliseconds, string? Location);

/// <summary>Calls that leave when they are due, whatever became of those before: what a crowd does, and a closed loop does not.</summary>
internal static class Load
{
    public static async Task<IReadOnlyList<Call>> OpenAsync(Server server, string path, string body, double perSecond, TimeSpan time)
    {
        var calls = new ConcurrentBag<Call>();
        var going = new List<Task>();
        var began = Stopwatch.GetTimestamp();
        for (var due = 0.0; due < time.TotalSeconds; due += -Math.Log(1 - Random.Shared.NextDouble()) / perSecond) // arrivals of a Poisson process
        {
            var late = due - Stopwatch.GetElapsedTime(began).TotalSeconds;
            if (late > 0.001)
                await Task.Delay(TimeSpan.FromSeconds(late), TimeProvider.System);
            going.Add(CallAsync(server, path, body, began + (long)(due * Stopwatch.Frequency), calls));
        }
        await Task.WhenAll(going);
        return [.. calls];
    }

    /// <summary>So many clients that call as fast as answers come; answers a second.</summary>
    public static async Task<double> CapacityAsync(Server server, string path, string body, int clients, TimeSpan time)
    {
        var calls = new ConcurrentBag<Call>();
        var began = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, clients).Select(async _ =>
        {
            while (Stopwatch.GetElapsedTime(began) < time)
                await CallAsync(server, path, body, Stopwatch.GetTimestamp(), calls);
        }));
        return calls.Count(c => c.Status == HttpStatusCode.OK) / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static async Task CallAsync(Server server, string path, string body, long due, ConcurrentBag<Call> calls)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await server.Client.PostAsync(new Uri(path, UriKind.Relative), content);
        await answer.Content.ReadAsByteArrayAsync();
        calls.Add(new Call(answer.StatusCode, Stopwatch.GetElapsedTime(due).TotalMilliseconds, answer.Headers.Location?.ToString()));
    }

    public static double Percentile(IEnumerable<Call> calls, double share)
    {
        var sorted = calls.Select(c => c.Milliseconds).Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[Math.Min(sorted.Length - 1, (int)(sorted.Length * share))];
    }
}
