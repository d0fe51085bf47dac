using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Health;

public sealed class HealthTests(ServerFixture fixture)
{
    [Fact]
    [Conformance(2)]
    public async Task Given_a_started_server_When_asked_Then_it_is_live_and_ready()
    {
        Assert.True((bool)(await fixture.Client.FetchAsync("/v2/health/live")).MustBe(200).Json["live"]!);
        Assert.True((bool)(await fixture.Client.FetchAsync("/v2/health/ready")).MustBe(200).Json["ready"]!);
    }

    [Fact]
    [Conformance(2)]
    public async Task Given_a_run_in_progress_When_told_to_stop_Then_ready_is_503_and_live_200_until_it_ends()
    {
        await using var server = await MillraceServer.StartAsync();
        var running = server.Client.PostAsync("/v2/models/sleep/infer", Bodies.Sleep(3000));
        await Waiting.UntilAsync(() => server.Ledger().Any(l => l.What == "start"), "the run starts");

        var stopping = server.StopAsync();

        await Waiting.UntilAsync(async () => (await server.Client.FetchAsync("/v2/health/ready")).Status == 503, "ready turns red");
        (await server.Client.FetchAsync("/v2/health/live")).MustBe(200);
        (await server.Client.PostAsync("/v2/models/sleep/infer", Bodies.Sleep(1))).MustBe(503, "shutting_down");
        (await server.Client.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(1)))).MustBe(503, "shutting_down");
        (await running).MustBe(200);
        await stopping;
    }
}
