using Microsoft.Extensions.DependencyInjection;
using Millrace.Api.Tests.Inference;
using Millrace.Storage.Models;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Traffic;

/// <summary>A version on trial that misbehaves goes out of the traffic by itself.</summary>
public sealed class CanaryTests
{
    private static readonly string[] Judging = [.. Keys.Unlimited, "Millrace:Traffic:LeastCalls=10"];

    [Fact]
    public async Task Given_a_version_on_trial_that_fails_When_called_Then_it_gets_no_more_unnamed_calls_until_it_is_released()
    {
        using var models = SplitModel.Of("""{"traffic": {"1": 60, "2": 40}}""", "stepper/1", "bad/1");
        await using var server = await MillraceServer.StartAsync(models.Path, Judging);
        await UntilHeldAsync(server, () => server.Client.InferAsync("m", Bodies.In("FP32", 1)));

        var held = await server.Client.TrafficAsync("2");
        Assert.Equal((40, 0d, true), ((int)held["weight"]!, (double)held["share"]!, (bool)held["ready"]!));
        Assert.Contains("calls failed", (string?)held["held_back"]!["reason"], StringComparison.Ordinal);
        Assert.EndsWith("Z", (string?)held["held_back"]!["at"], StringComparison.Ordinal);
        Assert.Equal(1d, (double)(await server.Client.TrafficAsync("1"))["share"]!);
        for (var at = 0; at < 20; at++)
            (await server.Client.InferAsync("m", Bodies.In("FP32", 1))).MustBe(200).MustGive("OUT", 2f);
        Assert.Equal(500, (await server.Client.PostAsync("/v2/models/m/versions/2/infer", Bodies.In("FP32", 1))).Status); // who names it gets it
        var scrape = await Scrape.OfAsync(server.Management);
        Assert.Equal(1, scrape.Sum("millrace_canary_held_back_total", ("model", "m")));
        Assert.Equal((2, 1), (scrape.Sum("millrace_model_versions", ("model", "m"), ("state", "ready")), scrape.Sum("millrace_model_versions", ("model", "m"), ("state", "held_back"))));

        Assert.Equal(204, (await server.Client.AskAsync(HttpMethod.Post, "/v1/traffic/m/versions/2/release")).Status);
        var released = await server.Client.TrafficAsync("2");
        Assert.Equal((0.4, null), ((double)released["share"]!, released["held_back"]));
        Assert.Equal(0, (await Scrape.OfAsync(server.Management)).Sum("millrace_model_versions", ("model", "m"), ("state", "held_back")));
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/traffic/m/versions/2/release")).MustBe(404, "not_found");
        var audit = (await server.Client.FetchAsync("/v1/audit")).MustBe(200).Json["data"]!.AsArray();
        Assert.Contains(audit, r => (string?)r!["action"] == "traffic.release" && (string?)r["target"] == "m/2" && (string?)r["outcome"] == "done");

        await Waiting.UntilAsync(async () => (int)(await server.Client.TrafficAsync("2"))["calls"]! == 0, "its second trial begins with nothing");
        Assert.Null((await server.Client.TrafficAsync("2"))["held_back"]);
        await UntilHeldAsync(server, () => server.Client.InferAsync("m", Bodies.In("FP32", 1)));
    }

    [Fact]
    public async Task Given_a_version_on_trial_that_is_slow_When_called_Then_it_is_held_back_for_that()
    {
        using var models = SplitModel.Of("""{"traffic": {"1": 55, "2": 45}, "max_batch_size": 0, "instances": 1}""", "ident_int32/1", "sleep/1");
        await using var server = await MillraceServer.StartAsync(models.Path, [.. Judging, "Millrace:Traffic:LongestP95=00:00:00.250"]);
        await UntilHeldAsync(server, () => server.Client.InferAsync("m", Bodies.Sleep(700)));
        Assert.Contains("P95", (string?)(await server.Client.TrafficAsync("2"))["held_back"]!["reason"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_fault_that_the_main_version_has_too_When_judged_Then_nothing_is_held_back()
    {
        using var models = SplitModel.Of("""{"traffic": {"1": 55, "2": 45}}""", "bad/1", "bad/1");
        await using var server = await MillraceServer.StartAsync(models.Path, Judging);
        foreach (var version in (string[])["1", "2"])
            await Waiting.UntilAsync(async () => await CallAsync() && (int)(await server.Client.TrafficAsync(version))["failed"]! >= 10, $"ten calls of {version} have failed");

        var passes = await PassesAsync();
        await Waiting.UntilAsync(async () => await PassesAsync() >= passes + 2, "they were judged");

        Assert.Equal(0.45, (double)(await server.Client.TrafficAsync("2"))["share"]!);

        async Task<double> PassesAsync() => (await Scrape.OfAsync(server.Management)).Sum("millrace_pass_duration_seconds_count", ("pass", "CanaryGuard"));
        async Task<bool> CallAsync() => (await server.Client.InferAsync("m", Bodies.In("FP32", 1))).Status == 500;
    }

    [Fact]
    public async Task Given_a_version_that_was_held_back_with_another_file_When_read_Then_it_has_its_share()
    {
        using var models = SplitModel.Of("""{"traffic": {"1": 60, "2": 40}}""", "stepper/1", "stepper/2");
        await using var server = await MillraceServer.StartAsync(models.Path, Judging);
        var store = server.Services.GetRequiredService<IModelStore>();
        await store.HoldBackAsync("m", "1", (string)(await server.Client.FetchAsync("/v2/models/m/versions/1")).Json["properties"]!["sha256"]!, "this file", TestContext.Current.CancellationToken);
        await store.HoldBackAsync("m", "2", "00", "another file", TestContext.Current.CancellationToken);
        await Waiting.UntilAsync(async () => (await server.Client.TrafficAsync("1"))["held_back"] is not null, "what was held back is read");
        await Waiting.UntilAsync(async () => (double)(await server.Client.TrafficAsync("2"))["share"]! == 1, "all calls go to the other");
        Assert.Null((await server.Client.TrafficAsync("2"))["held_back"]);
    }

    [Fact]
    public async Task Given_calls_that_are_older_than_the_window_When_read_Then_they_count_no_more()
    {
        using var models = SplitModel.Of("""{"traffic": {"1": 60, "2": 40}}""", "stepper/1", "bad/1");
        await using var server = await MillraceServer.StartAsync(models.Path, [.. Keys.Unlimited, "Millrace:Traffic:Window=00:00:03", "Millrace:Traffic:LeastCalls=1000000"]);
        await Waiting.UntilAsync(async () => (await server.Client.InferAsync("m", Bodies.In("FP32", 1))).Status == 500 && (int)(await server.Client.TrafficAsync("2"))["failed"]! > 0, "a call fails and counts");
        await Waiting.UntilAsync(async () => (await server.Client.TrafficAsync("2")) is var traffic && (int)traffic["calls"]! == 0 && (int)traffic["failed"]! == 0, "it is forgotten");
    }

    /// <summary>Calls one after another, as fast as they are answered.</summary>
    private static Task UntilHeldAsync(MillraceServer server, Func<Task<Answer>> callAsync) => Waiting.UntilAsync(async () =>
    {
        Assert.Contains((await callAsync()).Status, (int[])[200, 500]);
        return (await server.Client.TrafficAsync("2"))["held_back"] is not null;
    }, "version 2 is held back", 90);
}
