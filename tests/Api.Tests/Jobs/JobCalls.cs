using System.Text.Json.Nodes;
using Millrace.Storage.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>The steps that most stories about jobs share.</summary>
internal static class JobCalls
{
    /// <summary>Enough that a worker that claims ahead still finds only blockers.</summary>
    private const int Blockers = 4;

    public static object Fast { get; } = Bodies.In("FP32", 1, 2);

    /// <summary>Submits a job that must be accepted; its id.</summary>
    public static async Task<string> SubmitAsync(
        this HttpClient client, string model, object inference, Action<Dictionary<string, object?>>? more = null, params (string, string)[] headers)
    {
        var answer = await client.PostAsync("/v1/jobs", Bodies.Job(model, inference, more), headers);
        Assert.True(answer.Status is 200 or 202, $"{answer.Status}: {answer.Text}");
        return (string)answer.Json["id"]!;
    }

    public static async Task<JsonNode> ReadAsync(this HttpClient client, string id) => (await client.FetchAsync($"/v1/jobs/{id}")).MustBe(200).Json;

    public static async Task<string> StateAsync(this HttpClient client, string id) => (string)(await client.ReadAsync(id))["state"]!;

    /// <summary>Waits for the end of a job; the job then.</summary>
    public static async Task<JsonNode> EndAsync(this HttpClient client, string id)
    {
        var job = await client.FetchAsync($"/v1/jobs/{id}?wait=60");
        Assert.NotNull((string?)job.MustBe(200).Json["finished_at"]);
        return job.Json;
    }

    public static Task UntilAsync(this HttpClient client, string id, string state) =>
        Waiting.UntilAsync(async () => await client.StateAsync(id) == state, $"{id} is {state}", 60);

    public static Task<Answer> CancelAsync(this HttpClient client, string id) => client.AskAsync(HttpMethod.Post, $"/v1/jobs/{id}/cancel");

    public static Task<Answer> RemoveAsync(this HttpClient client, string id) => client.AskAsync(HttpMethod.Delete, $"/v1/jobs/{id}");

    public static async Task<string[]> SubmitManyAsync(this HttpClient client, string model, object inference, params int[] priorities)
    {
        var ids = new string[priorities.Length];
        for (var at = 0; at < ids.Length; at++)
            ids[at] = await client.SubmitAsync(model, inference, m => m["priority"] = priorities[at]);
        return ids;
    }

    /// <summary>Fills the one instance of <c>sleep</c> and what a worker claims ahead, so that whatever comes after waits in the queue.</summary>
    /// <returns>How to end it.</returns>
    public static async Task<Func<Task>> BlockAsync(this MillraceServer server)
    {
        var ids = new List<string>();
        for (var at = 0; at < Blockers; at++)
            ids.Add(await server.Client.SubmitAsync("sleep", Bodies.Sleep(600_000), m => (m["priority"], m["timeout"]) = (1, 3600)));
        await Waiting.UntilAsync(() => server.Runs(ids[0]).Any(), "the first blocker runs");
        ids.Reverse(); // those that wait first, so that none of them starts
        return async () =>
        {
            foreach (var id in ids)
                (await server.Client.CancelAsync(id)).MustBe(200);
        };
    }

    /// <summary>The attempts of a job that a worker really began, in order.</summary>
    public static IEnumerable<int> Runs(this MillraceServer server, string id) => server.Lines("start", id).Select(r => r.Attempt);

    public static IEnumerable<RunRequest> Lines(this MillraceServer server, string what, string id)
    {
        Assert.True(JobId.TryParse(id, out var job));
        return server.Ledger().Where(l => l.What == what).SelectMany(l => l.Requests).Where(r => r.Id == job.Value);
    }

    /// <summary>Which of the jobs began in which order.</summary>
    public static IEnumerable<string> Order(this MillraceServer server, IReadOnlyCollection<string> ids) => server.Ledger()
        .Where(l => l.What == "start").SelectMany(l => l.Requests).Select(r => new JobId(r.Id).ToString()).Where(ids.Contains);

    public static DateTimeOffset Time(this JsonNode job, string member) =>
        DateTimeOffset.Parse((string)job[member]!, System.Globalization.CultureInfo.InvariantCulture);
}
