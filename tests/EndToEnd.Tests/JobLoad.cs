using System.Collections.Concurrent;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

/// <summary>Jobs for the model sleep, whose answer is its input: which were accepted, and what each must answer.</summary>
internal sealed class JobLoad
{
    private const int Submitters = 32;

    /// <summary>Location of each accepted job, and its input.</summary>
    public ConcurrentDictionary<string, int> Accepted { get; } = new();

    public Task SubmitAsync(HttpClient client, int jobs, int milliseconds) =>
        Parallel.ForAsync(0, jobs, new ParallelOptions { MaxDegreeOfParallelism = Submitters }, async (at, _) =>
        {
            var input = milliseconds + (at % 3);
            var answer = (await client.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(input)))).MustBe(202);
            Assert.True(Accepted.TryAdd(answer.Header("Location")!, input));
        });

    /// <summary>One that goes before all others.</summary>
    public async Task SubmitFirstAsync(HttpClient client, int milliseconds)
    {
        var answer = (await client.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(milliseconds), m => m["priority"] = 1))).MustBe(202);
        Assert.True(Accepted.TryAdd(answer.Header("Location")!, milliseconds));
    }

    /// <summary>Waits until every accepted job has succeeded with its own answer.</summary>
    public Task MustAllSucceedAsync(HttpClient client) =>
        Parallel.ForEachAsync(Accepted, new ParallelOptions { MaxDegreeOfParallelism = Submitters }, async (job, _) =>
        {
            await Waiting.UntilAsync(async () => Ended(await client.FetchAsync($"{job.Key}?wait=30")), $"{job.Key} ends", seconds: 120);
            var result = (await client.FetchAsync($"{job.Key}/result")).MustBe(200).Json;
            Assert.Equal(job.Value, (int)result["outputs"]![0]!["data"]![0]!);
        });

    private static bool Ended(Answer answer)
    {
        var state = (string?)answer.MustBe(200).Json["state"];
        Assert.True(state is "queued" or "running" or "succeeded", $"A job ended {state}: {answer.Text}");
        return state == "succeeded";
    }
}
