using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Queues;

/// <summary>The figures of queues.</summary>
public sealed class QueueTests(ServerFixture fixture)
{
    private static readonly string[] Members = ["model", "queued", "running", "oldest_seconds", "drain_per_second", "paused"];

    [Fact]
    public async Task Given_queued_and_running_jobs_When_read_Then_the_figures_follow_them()
    {
        await using var server = await MillraceServer.StartAsync();
        async Task<(int Queued, int Running)> FiguresAsync(string model = "sleep")
        {
            var queue = (await server.Client.FetchAsync($"/v1/queues/{model}")).MustBe(200).Json;
            Assert.Equal(Members, queue.AsObject().Select(p => p.Key));
            Assert.Equal((model, false), ((string?)queue["model"], (bool)queue["paused"]!));
            return ((int)queue["queued"]!, (int)queue["running"]!);
        }
        Assert.Equal((0, 0), await FiguresAsync());
        var release = await server.BlockAsync();
        var blocked = await FiguresAsync();
        var later = TimeProvider.System.GetUtcNow().AddHours(1).ToString("O");
        var ids = await server.Client.SubmitManyAsync("sleep", Bodies.Sleep(1), 5, 5, 5);
        var waiting = await server.Client.SubmitAsync("sleep", Bodies.Sleep(1), m => m["not_before"] = later);

        var full = await FiguresAsync();

        Assert.Equal(blocked.Queued + blocked.Running + 4, full.Queued + full.Running);
        Assert.InRange(full.Running, 1, 4);
        Assert.Equal((0, 0), await FiguresAsync("ident_fp32"));
        await Waiting.UntilAsync(
            async () => (double)(await server.Client.FetchAsync("/v1/queues/sleep")).Json["oldest_seconds"]! > 0.5, "the oldest ages");
        await server.Client.CancelAsync(waiting);
        await release();
        foreach (var id in ids)
            await server.Client.EndAsync(id);
        Assert.Equal((0, 0), await FiguresAsync());
        var drained = (await server.Client.FetchAsync("/v1/queues/sleep")).Json;
        Assert.Equal(0, (double)drained["oldest_seconds"]!);
        Assert.True((double)drained["drain_per_second"]! > 0);
    }

    [Fact]
    public async Task Given_models_without_jobs_When_listed_Then_all_are_there_in_order()
    {
        var queues = (await fixture.Client.FetchAsync("/v1/queues")).MustBe(200).Json["data"]!.AsArray();
        var models = queues.Select(q => (string)q!["model"]!).ToArray();
        Assert.Equal(models.Order(StringComparer.Ordinal), models);
        Assert.Contains("pair", models);
        Assert.Contains("scalar", models);
        Assert.All(queues, q => Assert.Equal(Members, q!.AsObject().Select(p => p.Key)));
        Assert.Equal(models.Distinct().Count(), models.Length);
    }

    [Fact]
    [Conformance(74)]
    public async Task Given_an_unknown_model_When_its_queue_is_read_Then_404() =>
        (await fixture.Client.FetchAsync("/v1/queues/nope")).MustBe(404, "model_not_found");
}
