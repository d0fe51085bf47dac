using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.OnnxRuntime;
using Millrace.Tests.Support;

namespace Millrace.Chaos.Survival;

/// <summary>Jobs of real digits, each under a key and sent until it is accepted, and the labels that ONNX Runtime gives itself.</summary>
internal sealed class DigitsLoad(HttpClient[] apis)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private static readonly Lazy<long[]> Labels = new(RunDirectly);
    private readonly ConcurrentDictionary<string, int> _accepted = new();
    private int _turn;
    private int _repeats;

    /// <summary>Location of each accepted job, and which scan it has.</summary>
    public IReadOnlyDictionary<string, int> Accepted => _accepted;

    /// <summary>Submissions that got no answer, or a 5xx.</summary>
    public int Repeats => _repeats;

    public Task SubmitAsync(int jobs, int submitters, CancellationToken cancellation) =>
        Parallel.ForAsync(0, jobs, new ParallelOptions { MaxDegreeOfParallelism = submitters, CancellationToken = cancellation }, async (at, token) =>
        {
            var scan = at % Digits.Scans.Count;
            var body = JsonSerializer.Serialize(Bodies.Job("digits", Digits.Inference(Digits.Scans[scan]), m => m["max_attempts"] = 10));
            var location = await SendAsync(body, Guid.NewGuid().ToString("N"), token);
            if (!_accepted.TryAdd(location, scan))
                throw new InvalidOperationException($"Two submissions got {location}.");
        });

    /// <returns>How many have the right label, how many a wrong one, and how many none.</returns>
    public async Task<(int Right, int Wrong, int Missing)> ReadAllAsync(CancellationToken cancellation)
    {
        int right = 0, wrong = 0, missing = 0;
        await Parallel.ForEachAsync(_accepted, new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = cancellation }, async (job, token) =>
        {
            for (var tries = 0; ; tries++)
            {
                try
                {
                    var state = (string?)JsonNode.Parse(await Api().GetStringAsync($"{job.Key}?wait=30", token))!["state"];
                    if (state is "queued" or "running" && tries < 10)
                        continue;
                    if (state != "succeeded")
                        Interlocked.Increment(ref missing);
                    else if (Label(JsonNode.Parse(await Api().GetStringAsync($"{job.Key}/result", token))!) == Labels.Value[job.Value])
                        Interlocked.Increment(ref right);
                    else
                        Interlocked.Increment(ref wrong);
                    return;
                }
                catch (HttpRequestException) when (tries < 50) { await Task.Delay(Pause, TimeProvider.System, token); }
            }
        });
        return (right, wrong, missing);
    }

    private async Task<string> SendAsync(string body, string key, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/jobs") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
                request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
                using var answer = await Api().SendAsync(request, cancellation);
                if (answer.StatusCode is HttpStatusCode.Accepted or HttpStatusCode.OK)
                    return answer.Headers.Location!.ToString();
                if ((int)answer.StatusCode < 500)
                    throw new InvalidOperationException($"A job was refused: {await answer.Content.ReadAsStringAsync(cancellation)}");
            }
            catch (Exception error) when (error is HttpRequestException or IOException || (error is OperationCanceledException && !cancellation.IsCancellationRequested)) { }
            Interlocked.Increment(ref _repeats);
            await Task.Delay(Pause, TimeProvider.System, cancellation);
        }
    }

    private HttpClient Api() => apis[(int)((uint)Interlocked.Increment(ref _turn) % (uint)apis.Length)];

    private static long Label(JsonNode response) => (long)response["outputs"]!.AsArray().Single(o => (string?)o!["name"] == "label")!["data"]![0]!;

    private static long[] RunDirectly()
    {
        using var session = new InferenceSession(Path.Combine(Repository.Models, "digits", "1", "model.onnx"));
        return Digits.Scans.Select(scan =>
        {
            using var input = OrtValue.CreateTensorValueFromMemory(scan, [1, 8, 8]);
            using var outputs = session.Run(new RunOptions(), ["image"], [input], ["label"]);
            return outputs[0].GetTensorDataAsSpan<long>()[0];
        }).ToArray();
    }
}
