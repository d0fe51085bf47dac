using System.Net;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

public sealed class TerminateTests
{
    [Fact]
    public async Task Given_load_on_both_lanes_When_SIGTERM_comes_Then_it_ends_with_0_and_loses_nothing()
    {
        using var data = new TemporaryFolder();
        string[] settings = [$"Millrace:Store:Path={data.Path}", $"Millrace:Models:Path={Repository.TestModels}", "Logging:LogLevel:Default=Error"];
        var load = new JobLoad();
        await using (var first = await MillraceProcess.StartAsync(settings))
        {
            await load.SubmitAsync(first.Client, jobs: 300, milliseconds: 10);
            var calls = Enumerable.Range(0, 20).Select(_ => InferAsync(first.Client)).ToArray();
            await Waiting.UntilAsync(async () => (int)(await first.Client.FetchAsync("/v1/queues/sleep")).Json["running"]! > 0, "jobs run");
            first.Signal(MillraceProcess.Terminate);
            Assert.Equal(0, await first.ExitAsync());
            Assert.All(await Task.WhenAll(calls), status => Assert.Contains(status, (HttpStatusCode?[])[HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable, null]));
        }

        await using var second = await MillraceProcess.StartAsync(settings);
        await load.MustAllSucceedAsync(second.Client);
        foreach (var job in load.Accepted.Keys)
            Assert.Equal(1, (int)(await second.Client.FetchAsync(job)).Json["attempt"]!); // given back uncharged
    }

    [Fact]
    public async Task Given_a_run_longer_than_the_drain_When_SIGTERM_comes_Then_the_job_is_given_back_uncharged_and_the_exit_code_is_0()
    {
        using var data = new TemporaryFolder();
        string[] settings = [$"Millrace:Store:Path={data.Path}", $"Millrace:Models:Path={Repository.TestModels}", "Logging:LogLevel:Default=Error"];
        string location;
        await using (var first = await MillraceProcess.StartAsync([.. settings, "Millrace:Drain:Timeout=00:00:01"]))
        {
            location = (await first.Client.PostAsync("/v1/jobs", Bodies.Job("sleep", Bodies.Sleep(60_000)))).MustBe(202).Header("Location")!;
            await Waiting.UntilAsync(async () => (string?)(await first.Client.FetchAsync(location)).Json["state"] == "running", "the job runs");
            first.Signal(MillraceProcess.Terminate);
            Assert.Equal(0, await first.ExitAsync());
        }

        await using var second = await MillraceProcess.StartAsync(settings);
        await Waiting.UntilAsync(async () => (string?)(await second.Client.FetchAsync(location)).Json["state"] == "running", "the job runs again");
        Assert.Equal(1, (int)(await second.Client.FetchAsync(location)).Json["attempt"]!);
    }

    /// <summary>Null when the connection was refused or closed without an answer.</summary>
    private static async Task<HttpStatusCode?> InferAsync(HttpClient client)
    {
        try { return (await client.PostAsync("/v2/models/sleep/infer", Bodies.Sleep(20))).StatusCode; }
        catch (HttpRequestException) { return null; }
    }
}
