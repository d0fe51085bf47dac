using Millrace.Api.Tests.Inference;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>The repository changes, and the server follows without a start.</summary>
public sealed class HotRepositoryTests : IDisposable
{
    private static readonly object One = Bodies.In("FP32", 1);

    private readonly LiveModels _models = new();

    public void Dispose() => _models.Dispose();

    private static async Task<double> VersionsAsync(MillraceServer server, string state) =>
        (await Scrape.OfAsync(server.Management)).Sum("millrace_model_versions", ("model", "stepper"), ("state", state));

    [Fact]
    public async Task Given_a_single_file_When_started_Then_it_is_version_1_of_the_model_of_its_name()
    {
        File.WriteAllBytes(Path.Combine(_models.Path, "step.one.onnx"), LiveModels.Fixture("stepper"));
        File.WriteAllText(Path.Combine(_models.Path, "step.one.json"), """{"max_batch_size": 3}""");
        await using var server = await _models.StartAsync();

        (await server.Client.InferAsync("step.one", One)).MustBe(200).MustGive("OUT", 2f);
        Assert.Equal(("READY", ""), await server.Client.IndexAsync("step.one", "1"));
        Assert.Equal("3", (string?)(await server.Client.FetchAsync("/v2/models/step.one")).Json["properties"]!["max_batch_size"]);
    }

    [Fact]
    public async Task Given_a_served_version_When_a_new_one_appears_Then_it_serves_and_the_old_one_is_still_there()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync();
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 2f);

        _models.Put("stepper", "2", "stepper", "2");
        await server.Client.UntilIndexAsync("stepper", "2", "READY");

        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 3f);
        (await server.Client.PostAsync("/v2/models/stepper/versions/1/infer", One)).MustBe(200).MustGive("OUT", 2f);
    }

    [Fact]
    public async Task Given_a_new_model_When_it_appears_Then_both_lanes_serve_it()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync();

        _models.Put("other", "7", "ident_fp32");
        await server.Client.UntilIndexAsync("other", "7", "READY");

        (await server.Client.InferAsync("other", One)).MustBe(200).MustGive("OUT", 1f);
        Assert.Equal("succeeded", (string?)(await server.Client.EndAsync(await server.Client.SubmitAsync("other", One)))["state"]);
    }

    [Fact]
    public async Task Given_a_version_whose_file_is_replaced_When_seen_Then_the_new_file_serves_under_the_same_number()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync();
        var hash = await server.Client.HashAsync("stepper", "1");

        _models.Put("stepper", "1", "stepper", "2");
        await Waiting.UntilAsync(async () => await server.Client.HashAsync("stepper", "1") != hash, "the new file is announced");

        Assert.Equal(LiveModels.Fixture("stepper", "2").Sha256(), await server.Client.HashAsync("stepper", "1"));
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 3f);
    }

    [Fact]
    public async Task Given_a_file_that_is_still_being_written_When_scanned_Then_it_is_not_touched_until_it_is_complete()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await MillraceServer.StartAsync(_models.Path, "Millrace:Models:ScanEvery=00:00:01");
        Directory.CreateDirectory(Path.GetDirectoryName(_models.File("stepper", "2"))!);
        var bytes = LiveModels.Fixture("stepper", "2");
        var passes = await PassesAsync(server);

        await using (var file = new FileStream(_models.File("stepper", "2"), FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0))
        {
            var at = 0;
            await Waiting.UntilAsync(
                async () =>
                {
                    if (at < bytes.Length / 2)
                        file.Write(bytes, at++, 1);
                    else
                        File.SetLastWriteTimeUtc(_models.File("stepper", "2"), TimeProvider.System.GetUtcNow().UtcDateTime);
                    Assert.Equal("", (await server.Client.IndexAsync("stepper", "2")).State);
                    return await PassesAsync(server) >= passes + 4;
                },
                "four scans have seen it");
            file.Write(bytes, at, bytes.Length - at);
        }

        await server.Client.UntilIndexAsync("stepper", "2", "READY");
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 3f);
    }

    [Fact]
    public async Task Given_a_new_version_that_is_broken_When_seen_Then_it_is_listed_with_the_reason_and_the_old_one_serves_until_it_is_mended()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync();

        _models.Put("stepper", "2", "cold");
        await server.Client.UntilIndexAsync("stepper", "2", "UNAVAILABLE");
        Assert.Contains("no ONNX model", (await server.Client.IndexAsync("stepper", "2")).Reason);
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 2f);
        Assert.Equal((1, 1), (await VersionsAsync(server, "ready"), await VersionsAsync(server, "faulty")));

        _models.Put("stepper", "2", "stepper", "2");
        await server.Client.UntilIndexAsync("stepper", "2", "READY");
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 3f);
        Assert.Equal((2, 0), (await VersionsAsync(server, "ready"), await VersionsAsync(server, "faulty")));
    }

    [Fact]
    public async Task Given_a_served_version_When_its_file_is_replaced_by_a_broken_one_Then_what_was_loaded_serves_on()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync();
        var hash = await server.Client.HashAsync("stepper", "1");

        _models.Put("stepper", "1", "cold");
        await Waiting.UntilAsync(async () => (await server.Client.IndexAsync("stepper", "1")).Reason.Contains("no ONNX model", StringComparison.Ordinal), "it was tried");

        Assert.Equal((1, 1), (await VersionsAsync(server, "ready"), await VersionsAsync(server, "faulty")));
        Assert.Equal(("READY", hash), ((await server.Client.IndexAsync("stepper", "1")).State, await server.Client.HashAsync("stepper", "1")));
        Assert.Contains("no ONNX model", (string?)(await server.Client.PostAsync("/v2/repository/models/stepper/load", "")).MustBe(503, "model_not_ready").Json["error"]);
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 2f);
        _models.Put("stepper", "1", "stepper", "2");
        await Waiting.UntilAsync(async () => await server.Client.HashAsync("stepper", "1") != hash, "the mended file is announced");
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 3f);
    }

    [Fact]
    public async Task Given_versions_that_vanish_When_seen_Then_they_are_404_and_the_others_serve()
    {
        _models.Put("stepper", "1", "stepper", "1");
        _models.Put("stepper", "2", "stepper", "2");
        _models.Put("other", "1", "ident_fp32");
        await using var server = await _models.StartAsync();

        _models.Remove("stepper", "2");
        await server.Client.UntilIndexAsync("stepper", "2", "");
        (await server.Client.PostAsync("/v2/models/stepper/versions/2/infer", One)).MustBe(404, "model_not_found");
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 2f);

        _models.Remove("stepper", "1");
        await server.Client.UntilIndexAsync("stepper", "1", "");
        (await server.Client.InferAsync("stepper", One)).MustBe(404, "model_not_found");
        (await server.Client.InferAsync("other", One)).MustBe(200);
        Assert.Equal("""{"models":["other"]}""", (await server.Client.FetchAsync("/v2/models")).Text);
        Assert.Equal((0, 1), (await VersionsAsync(server, "ready"), (await Scrape.OfAsync(server.Management)).Sum("millrace_model_versions", ("model", "other"), ("state", "ready"))));
    }

    [Fact]
    public async Task Given_a_version_that_leaves_When_it_has_work_Then_that_is_done()
    {
        _models.Put("sleep", "1", "sleep");
        _models.Put("other", "1", "ident_fp32");
        _models.Configure("sleep", """{"max_batch_size": 0, "instances": 1}""");
        await using var server = await _models.StartAsync();
        var running = await server.OccupyAsync("sleep", 3000);
        var waiting = server.Client.InferAsync("sleep", Bodies.Sleep(1));

        _models.Remove("sleep", "1");
        await server.Client.UntilIndexAsync("sleep", "1", "");

        (await running).MustBe(200);
        (await waiting).MustBe(200);
        (await server.Client.InferAsync("sleep", Bodies.Sleep(1))).MustBe(404);
    }

    [Theory]
    [InlineData("""{"latest": {"num_versions": 1}}""", "3")]
    [InlineData("""{"latest": {}}""", "3")]
    [InlineData("""{"latest": {"num_versions": 2}}""", "2,3")]
    [InlineData("""{"specific": {"versions": [1, 3]}}""", "1,3")]
    [InlineData("""{"all": {}}""", "1,2,3")]
    public async Task Given_a_version_policy_When_started_Then_just_those_versions_are_served(string policy, string served)
    {
        foreach (var version in (string[])["1", "2", "3"])
            _models.Put("stepper", version, "stepper", version == "3" ? "2" : version);
        _models.Configure("stepper", $$"""{"version_policy": {{policy}}}""");
        await using var server = await _models.StartAsync();

        Assert.Equal(served, string.Join(',', (await server.Client.FetchAsync("/v2/models/stepper")).MustBe(200).Json["versions"]!.AsArray().Select(v => (string)v!)));
        foreach (var version in (string[])["1", "2", "3"])
            (await server.Client.PostAsync($"/v2/models/stepper/versions/{version}/infer", One)).MustBe(served.Contains(version, StringComparison.Ordinal) ? 200 : 404);
    }

    [Fact]
    public async Task Given_the_policy_latest_When_the_newest_is_broken_Then_the_one_before_it_serves()
    {
        _models.Put("stepper", "1", "stepper", "1");
        _models.Put("stepper", "2", "cold");
        _models.Configure("stepper", """{"version_policy": {"latest": {"num_versions": 1}}}""");
        await using var server = await _models.StartAsync();
        Assert.Equal("UNAVAILABLE", (await server.Client.IndexAsync("stepper", "2")).State);
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 2f);

        _models.Put("stepper", "2", "stepper", "2");
        await server.Client.UntilIndexAsync("stepper", "1", "");
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 3f);
    }

    [Fact]
    public async Task Given_a_policy_that_changes_When_seen_Then_versions_come_and_go()
    {
        _models.Put("stepper", "1", "stepper", "1");
        _models.Put("stepper", "2", "stepper", "2");
        await using var server = await _models.StartAsync();

        _models.Configure("stepper", """{"version_policy": {"specific": {"versions": ["1"]}}}""");
        await server.Client.UntilIndexAsync("stepper", "2", "");
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 2f);

        _models.Configure("stepper", "{}");
        await server.Client.UntilIndexAsync("stepper", "2", "READY");
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 3f);
    }

    [Fact]
    public async Task Given_an_empty_repository_When_a_model_comes_Then_the_server_becomes_ready()
    {
        await using var server = await _models.StartAsync();
        (await server.Client.FetchAsync("/v2/health/live")).MustBe(200);
        Assert.Equal(503, (await server.Management.FetchAsync("/health/ready")).Status);

        _models.Put("stepper", "1", "stepper", "1");
        await Waiting.UntilAsync(async () => (await server.Management.FetchAsync("/health/ready")).Status == 200, "it is ready");

        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 2f);
    }

    [Fact]
    public async Task Given_scans_at_start_alone_When_a_version_appears_Then_it_is_left_alone()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync("Millrace:Models:ScanEvery=00:00:00");
        var passes = await PassesAsync(server);

        _models.Put("stepper", "2", "stepper", "2");
        await Waiting.UntilAsync(async () => await PassesAsync(server) >= passes + 3, "there were passes");

        Assert.Equal("", (await server.Client.IndexAsync("stepper", "2")).State);
    }

    internal static async Task<double> PassesAsync(MillraceServer server) =>
        (await Scrape.OfAsync(server.Management)).Sum("millrace_pass_duration_seconds_count", ("pass", "RepositoryWatch"));
}
