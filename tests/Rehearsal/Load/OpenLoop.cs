using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Millrace.Rehearsal.Report;
using Millrace.Rehearsal.Run;

namespace Millrace.Rehearsal.Load;

/// <summary>Requests that leave when they are due. A latency counts from then, so what waits in the client is not hidden.</summary>
internal static class OpenLoop
{
    public static async Task<LoadResult> RunAsync(HttpClient client, string url, string body, double perSecond, TimeSpan time)
    {
        var bytes = await File.ReadAllBytesAsync(body);
        var calls = new ConcurrentBag<(HttpStatusCode Status, double Milliseconds)>();
        var going = new List<Task>();
        var cpu = Cpu.Of(Environment.ProcessId);
        var began = Stopwatch.GetTimestamp();
        for (var due = TimeSpan.Zero; due < time; due += TimeSpan.FromSeconds(1 / perSecond))
        {
            var early = due - Stopwatch.GetElapsedTime(began);
            if (early > TimeSpan.FromMilliseconds(1))
                await Task.Delay(early, TimeProvider.System);
            going.Add(CallAsync(due));
        }
        await Task.WhenAll(going);
        async Task CallAsync(TimeSpan due)
        {
            using var content = new ByteArrayContent(bytes) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            using var answer = await client.PostAsync(url, content);
            await answer.Content.ReadAsByteArrayAsync();
            calls.Add((answer.StatusCode, (Stopwatch.GetElapsedTime(began) - due).TotalMilliseconds));
        }
        double Percentile(double share) => Statistics.Percentile(calls.Where(c => c.Status == HttpStatusCode.OK).Select(c => c.Milliseconds), share);
        return new LoadResult(calls.Count(c => c.Status == HttpStatusCode.OK) / Stopwatch.GetElapsedTime(began).TotalSeconds, Percentile(0.5), Percentile(0.95), Percentile(0.99),
            calls.Where(c => c.Status != HttpStatusCode.OK).GroupBy(c => c.Status).Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Count():N0} x {(int)g.Key}")).ToArray(), Cpu.Of(Environment.ProcessId) - cpu);
    }
}
