using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Millrace.Chaos.History;
using Millrace.Storage.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Chaos;

/// <summary>Jobs of a model that answers with its input, each under a key of its own and sent again until somebody answers: what clients did and saw.</summary>
public sealed class Load(Func<HttpClient> api) : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);
    private readonly ConcurrentQueue<ClientOperation> _log = new();
    private readonly ConcurrentDictionary<Guid, string> _expected = new();

    public IReadOnlyList<ClientOperation> Log => [.. _log];

    public IReadOnlyCollection<Guid> Accepted => [.. _expected.Keys];

    /// <param name="milliseconds">What each of the jobs takes, about.</param>
    public async Task SubmitAsync(int jobs, int submitters, Func<int, int> milliseconds, string model, CancellationToken cancellation) =>
        await Parallel.ForAsync(0, jobs, new ParallelOptions { MaxDegreeOfParallelism = submitters, CancellationToken = cancellation }, async (at, token) => await SubmitAsync(model, milliseconds(at), token));

    /// <summary>Sends one until it is accepted or refused.</summary>
    public async Task<Guid?> SubmitAsync(string model, int input, CancellationToken cancellation)
    {
        var key = Guid.NewGuid().ToString("N");
        var body = JsonSerializer.Serialize(Bodies.Job(model, Bodies.Sleep(input), m => (m["max_attempts"], m["timeout"]) = (5, 120)));
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/jobs") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
                request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
                using var answer = await api().SendAsync(request, cancellation);
                var text = await answer.Content.ReadAsStringAsync(cancellation);
                if (answer.StatusCode is HttpStatusCode.Accepted or HttpStatusCode.OK)
                {
                    var job = JsonNode.Parse(text)!;
                    var id = Parse((string)job["id"]!);
                    _expected[id] = Hash(input);
                    _log.Enqueue(new(ClientKind.Submit, Certainty.Ok, key, id, (string)job["state"]!));
                    return id;
                }
                if ((int)answer.StatusCode < 500)
                {
                    _log.Enqueue(new(ClientKind.Submit, Certainty.Fail, key, null));
                    return null;
                }
            }
            catch (Exception error) when (error is HttpRequestException or IOException or ObjectDisposedException || (error is OperationCanceledException && !cancellation.IsCancellationRequested)) { }
            _log.Enqueue(new(ClientKind.Submit, Certainty.Info, key, null)); // nobody knows; the key settles it
            await Task.Delay(Pause, TimeProvider.System, cancellation);
        }
    }

    /// <summary>Reads every accepted job until it is final, and its result.</summary>
    public async Task ReadAllAsync(TimeSpan longest, CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(longest);
        try
        {
            await Parallel.ForEachAsync(_expected, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = deadline.Token }, async (job, token) => await ReadAsync(job.Key, job.Value, token));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested) { } // what did not end is seen in the store
    }

    public void Dispose() => _log.Clear();

    private async Task ReadAsync(Guid id, string expected, CancellationToken cancellation)
    {
        var path = $"/v1/jobs/{new JobId(id)}";
        while (true)
        {
            try
            {
                var job = JsonNode.Parse(await api().GetStringAsync($"{path}?wait=10", cancellation))!;
                var state = (string)job["state"]!;
                var result = state == "succeeded" ? Hash((int)JsonNode.Parse(await api().GetStringAsync($"{path}/result", cancellation))!["outputs"]![0]!["data"]![0]!) : null;
                _log.Enqueue(new(ClientKind.Read, Certainty.Ok, "", id, state, result, expected));
                if (state is not ("queued" or "running"))
                    return;
            }
            catch (HttpRequestException) { await Task.Delay(Pause, TimeProvider.System, cancellation); } // away, or going away
        }
    }

    private static string Hash(int output) => output.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static Guid Parse(string id) => JobId.TryParse(id, out var job) ? job.Value : throw new InvalidOperationException($"No id of a job: {id}");
}
