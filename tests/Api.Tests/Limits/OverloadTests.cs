using Millrace.Api.Tests.Inference;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Limits;

/// <summary>More at once than a replica takes: refused at once, and what was taken is served.</summary>
public sealed class OverloadTests
{
    [Fact]
    public async Task Given_as_many_requests_in_work_as_there_may_be_When_another_comes_Then_503_at_once_and_it_is_counted()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Limits:MaxRequests=2");
        var working = new[] { await server.OccupyAsync("sleep", 60_000), server.Client.InferAsync("sleep", Bodies.Sleep(1)) };
        await Waiting.UntilAsync(async () =>
        {
            if (working[1].IsCompleted) // the question below was there before it
                working[1] = server.Client.InferAsync("sleep", Bodies.Sleep(1));
            return (await server.Client.FetchAsync("/v2/models")).Status == 503 && !working[1].IsCompleted;
        }, "two requests are in work");

        var refused = (await server.Client.InferAsync("ident_fp32", JobCalls.Fast)).MustBe(503, "overloaded");

        Assert.Equal("1", refused.Header("Retry-After"));
        (await server.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast))).MustBe(503, "overloaded");
        (await server.Client.FetchAsync("/v2/health/ready")).MustBe(200);
        Assert.Equal(2, (int)(await server.Client.FetchAsync("/v1/admission")).MustBe(200).Json["requests"]!["in_use"]!); // who operates it sees why
        Assert.True((await Scrape.OfAsync(server.Management)).Sum("millrace_requests_refused_total", ("code", "overloaded")) >= 3);
        server.Client.CancelPendingRequests();
        Answer? answer = null;
        await Waiting.UntilAsync(async () => (answer = await server.Client.FetchAsync("/v1/admission")) is { Status: 200 } && (int)answer.Json["requests"]!["in_use"]! == 0, "the callers have left");
        var admission = answer!.Json;
        Assert.True((long)admission["refused"]!["overloaded"]! >= 3);
        Assert.Equal(2, (int)admission["requests"]!["limit"]!);
        Assert.Equal(("closed", "closed"), ((string?)admission["circuits"]!["store"], (string?)admission["circuits"]!["broker"]));
        foreach (var call in working)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task Given_requests_that_wait_for_a_job_When_there_are_more_than_work_may_be_Then_they_take_no_place_of_others()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Limits:MaxRequests=2", "Millrace:Limits:MaxWaits=10");
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp32/pause")).MustBe(200);
        var id = await server.Client.SubmitAsync("ident_fp32", JobCalls.Fast);
        var waiting = new List<Task<Answer>>();
        for (var at = 1; at <= 9; at++)
        {
            var waits = at;
            waiting.Add(server.Client.FetchAsync($"/v1/jobs/{id}?wait=60"));
            await Waiting.UntilAsync(async () => await WaitsAsync(server) == waits, "it waits");
        }
        waiting.Add(server.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast), ("Prefer", "wait=60")));
        await Waiting.UntilAsync(async () => await WaitsAsync(server) == 10, "all wait");

        (await server.Client.InferAsync("ident_fp64", Bodies.In("FP64", 1))).MustBe(200);
        (await server.Client.FetchAsync($"/v1/jobs/{id}?wait=60")).MustBe(503, "overloaded");
        (await server.Client.FetchAsync($"/v1/jobs/{id}")).MustBe(200);

        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/ident_fp32/resume")).MustBe(200);
        Assert.All(await Task.WhenAll(waiting), answer => Assert.Equal("succeeded", (string?)answer.MustBe(200).Json["state"]));
        await Waiting.UntilAsync(async () => await WaitsAsync(server) == 0, "every place is given back");
    }

    [Fact]
    [Attack(17)]
    public async Task Given_bodies_that_would_take_more_memory_than_is_meant_for_them_When_sent_Then_503_and_it_is_all_given_back()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Limits:MaxBodyMemory=1048576");
        var large = new byte[3 << 20];
        Array.Fill(large, (byte)' ');
        Assert.NotNull((await server.Client.InferBytesAsync("ident_fp32", large)).MustBe(503, "overloaded").Header("Retry-After"));
        var admission = (await server.Client.FetchAsync("/v1/admission")).MustBe(200).Json;
        Assert.Equal(0, (long)admission["body_bytes"]!["in_use"]!);
        (await server.Client.InferAsync("ident_fp32", JobCalls.Fast)).MustBe(200);
    }

    [Fact]
    public async Task Given_more_sync_requests_than_can_be_served_in_their_time_When_one_more_comes_Then_503_instead_of_a_late_answer()
    {
        await using var server = await MillraceServer.StartAsync();
        var load = Enumerable.Range(0, 40).Select(_ => server.Client.InferAsync("sleep", Bodies.Sleep(100))).ToArray(); // four seconds for the one instance
        await Waiting.UntilAsync(async () => await SyncRateAsync(server) is not null, "its pace is known");

        var refused = (await server.Client.InferAsync("sleep", Calls.Sleep(100, new { timeout = 200_000 }))).MustBe(503, "queue_full");

        Assert.InRange(int.Parse(refused.Header("Retry-After")!, System.Globalization.CultureInfo.InvariantCulture), 1, 10);
        Assert.All(await Task.WhenAll(load), answer => answer.MustBe(200)); // what was taken is served
        (await server.Client.InferAsync("sleep", Calls.Sleep(1, new { timeout = 20_000_000 }))).MustBe(200);

        static async Task<double?> SyncRateAsync(MillraceServer server) => (double?)(await server.Client.FetchAsync("/v1/admission")).MustBe(200).Json["models"]!.AsArray()
            .Single(m => (string?)m!["model"] == "sleep")!["sync_per_second"];
    }

    private static async Task<int> WaitsAsync(MillraceServer server) => (int)(await server.Client.FetchAsync("/v1/admission")).MustBe(200).Json["waits"]!["in_use"]!;
}
