using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;

namespace Millrace.Rehearsal.Run;

/// <param name="At">When it was sent.</param>
internal sealed record SyncCall(TimeSpan At, TimeSpan Took, HttpStatusCode Status);

/// <summary>Clients of one model: synchronous requests at a steady pace, and jobs at a pace that changes; both leave when they are due, whatever became of those before.</summary>
internal sealed class Crowd(HttpClient api, Stopwatch clock, string model, int milliseconds)
{
    /// <summary>What a synchronous request may take.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly ConcurrentBag<SyncCall> _calls = [];
    private readonly ConcurrentBag<HttpStatusCode> _submissions = [];

    public IReadOnlyList<SyncCall> Calls => _calls.OrderBy(c => c.At).ToArray();

    public int Accepted => _submissions.Count(s => s == HttpStatusCode.Accepted);

    public int Refused => _submissions.Count(s => s != HttpStatusCode.Accepted);

    /// <summary>One synchronous request, to its answer.</summary>
    public async Task CallAsync()
    {
        var at = clock.Elapsed;
        var status = await PostAsync($"/v2/models/{model}/infer", Inference($",\"parameters\":{{\"timeout\":{(long)Deadline.TotalMicroseconds}}}"));
        _calls.Add(new SyncCall(at, clock.Elapsed - at, status));
    }

    public Task CallsAsync(double perSecond, CancellationToken stop) => PaceAsync(() => perSecond, CallAsync, stop);

    /// <param name="perSecond">By the time since the beginning.</param>
    public async Task SubmitAsync(Func<TimeSpan, double> perSecond, TimeSpan time)
    {
        using var stop = new CancellationTokenSource(time);
        var began = clock.Elapsed;
        await PaceAsync(() => perSecond(clock.Elapsed - began), SubmitOneAsync, stop.Token);
    }

    /// <summary>So many jobs as fast as 32 clients can send them.</summary>
    public Task BurstAsync(int jobs) => Parallel.ForAsync(0, jobs, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (_, _) => await SubmitOneAsync());

    private async Task SubmitOneAsync()
    {
        var status = await PostAsync("/v1/jobs", $$"""{"model":"{{model}}","inference":{{Inference("")}}}""");
        _submissions.Add(status);
    }

    private async Task PaceAsync(Func<double> perSecond, Func<Task> send, CancellationToken stop)
    {
        var going = new List<Task>();
        var due = clock.Elapsed;
        while (!stop.IsCancellationRequested)
        {
            due += TimeSpan.FromSeconds(1 / Math.Max(perSecond(), 0.5));
            if (due > clock.Elapsed)
            {
                try { await Task.Delay(due - clock.Elapsed, TimeProvider.System, stop); }
                catch (OperationCanceledException) { break; }
            }
            going.Add(send());
        }
        await Task.WhenAll(going);
    }

    private string Inference(string more) =>
        $$"""{"inputs":[{"name":"IN","datatype":"INT32","shape":[1],"data":[{{milliseconds.ToString(CultureInfo.InvariantCulture)}}]}]{{more}}}""";

    private async Task<HttpStatusCode> PostAsync(string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await api.PostAsync(new Uri(path, UriKind.Relative), content);
        await answer.Content.ReadAsByteArrayAsync();
        return answer.StatusCode;
    }
}
