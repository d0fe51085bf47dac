using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Backlog;

/// <summary>One tenant's backlog is not another's wait.</summary>
public sealed class FairnessTests
{
    private const int Window = 50;
    private const int Service = 5; // milliseconds
    private static readonly string[] Client = ["submit", "read"];

    [Fact]
    public async Task Given_ten_thousand_jobs_of_one_tenant_When_another_sends_twenty_Then_they_end_within_a_few_windows_whatever_the_backlog()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, [.. Keys.Unlimited, $"Millrace:Store:Window={Window}", "Millrace:Limits:MaxRequests=1000"]);
        using var admin = await server.Client.CloseAsync();
        using var a = await admin.MakeKeyAsync("a", Client);
        using var b = await admin.MakeKeyAsync("b", Client);
        using var operating = await admin.MakeKeyAsync("ops", "operate");
        (await operating.AskAsync(HttpMethod.Post, "/v1/queues/sleep/pause")).MustBe(200);
        await Parallel.ForAsync(0, 10_000, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (_, _) =>
            (await a.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(Service)))).MustBe(202));
        (await operating.AskAsync(HttpMethod.Post, "/v1/queues/sleep/resume")).MustBe(200);
        await Waiting.UntilAsync(async () => await LeftAsync(a) < 9_990, "a's jobs run");

        var before = await LeftAsync(a);
        var ids = new List<string>();
        for (var at = 0; at < 20; at++)
            ids.Add((string)(await b.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(Service)))).MustBe(202).Json["id"]!);
        var waits = new List<double>();
        foreach (var id in ids)
        {
            var job = (await b.FetchAsync($"/v1/jobs/{id}?wait=60")).MustBe(200).Json;
            Assert.Equal("succeeded", (string?)job["state"]);
            waits.Add((double)job["metrics"]!["queue_ms"]! / 1000);
        }
        var passed = before - await LeftAsync(a);
        (await operating.PostAsync("/v1/queues/sleep/purge", new { dry_run = false })).MustBe(200);

        // In turns, b's twenty come among the next windows: not behind the thousands.
        Assert.True(passed < 3000, $"{passed} of the other tenant's jobs ended before");
        var bound = (3 * (Window + 1) * Service / 1000.0) + 1;
        Assert.True(waits.Order().ElementAt(18) <= 10 * bound, $"p95 {waits.Order().ElementAt(18)} s, promised {bound} s");
    }

    private static async Task<int> LeftAsync(HttpClient client) => (int)(await client.FetchAsync("/v1/queues/sleep")).MustBe(200).Json["queued"]!;
}
