using Millrace.Tests.Support;
using static Millrace.Storage.Announcements.ModelState;

namespace Millrace.Api.Tests.Models;

/// <summary>The API's half of load and unload: whom it waits for, and what it says when they fail. The workers here do what the test says.</summary>
public sealed class LoadTests : IDisposable
{
    private readonly TemporaryFolder _models = Inference.ModelFolder.With(("ident_fp32", "{}"));

    private const string Load = "/v2/repository/models/ghost/load";
    private const string Unload = "/v2/repository/models/ghost/unload";

    [Fact]
    public async Task Given_two_workers_When_a_load_is_asked_for_Then_it_is_answered_when_both_are_done()
    {
        await using var server = await StartAsync();
        var (fast, slow) = (new FakeWorker(server, "fast"), new FakeWorker(server, "slow"));
        await fast.AnnounceAsync(FakeWorker.Version("ghost", Ready, 0));
        await slow.AnnounceAsync(FakeWorker.Version("ghost", Ready, 0));
        await fast.SeenAsync("ghost", "READY");

        var load = server.Client.AskAsync(HttpMethod.Post, Load);
        var wish = await fast.WishAsync("ghost", loaded: true);
        await fast.AnnounceAsync(FakeWorker.Version("ghost", Ready, wish), FakeWorker.Version("other", Ready, 0));
        await fast.SeenAsync("other", "READY");
        Assert.False(load.IsCompleted, "The slow worker has not read the wish.");
        await slow.AnnounceAsync(FakeWorker.Version("ghost", Ready, wish), FakeWorker.Version("ghost", Loading, wish, version: "2"));
        await slow.SeenAsync("ghost", "LOADING");
        Assert.False(load.IsCompleted, "The slow worker still loads.");
        await slow.AnnounceAsync(FakeWorker.Version("ghost", Ready, wish), FakeWorker.Version("ghost", Ready, wish, version: "2"));

        Assert.Equal("""{"name":"ghost","load":true}""", (await load).MustBe(200).Text);
    }

    [Fact]
    public async Task Given_a_load_that_fails_on_one_worker_When_asked_for_Then_503_with_its_reason()
    {
        await using var server = await StartAsync();
        var (good, broken) = (new FakeWorker(server, "good"), new FakeWorker(server, "zbroken"));
        await good.AnnounceAsync(FakeWorker.Version("ghost", Ready, 0));
        await good.SeenAsync("ghost", "READY");

        var load = server.Client.AskAsync(HttpMethod.Post, Load);
        var wish = await good.WishAsync("ghost", loaded: true);
        await broken.AnnounceAsync(FakeWorker.Version("ghost", Unavailable, wish, "no memory"));
        await good.AnnounceAsync(FakeWorker.Version("ghost", Ready, wish));

        Assert.Contains("no memory", (string?)(await load).MustBe(503, "model_not_ready").Json["error"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_model_that_only_fails_When_a_load_is_asked_for_Then_503_with_its_reason()
    {
        await using var server = await StartAsync();
        var worker = new FakeWorker(server, "w");
        var load = server.Client.PostAsync(Load, "{}"); // nobody knows it yet
        var wish = await worker.WishAsync("ghost", loaded: true);
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Unavailable, wish, "it is no model"));
        var answer = (await load).MustBe(503, "model_not_ready");
        Assert.Contains("it is no model", (string?)answer.Json["error"], StringComparison.Ordinal);
        Assert.NotNull(answer.Header("Retry-After"));
    }

    [Fact]
    public async Task Given_new_files_that_do_not_load_When_a_load_is_asked_for_Then_503_though_the_old_ones_serve()
    {
        await using var server = await StartAsync();
        var worker = new FakeWorker(server, "w");
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Ready, 0));
        await worker.SeenAsync("ghost", "READY");
        var load = server.Client.AskAsync(HttpMethod.Post, Load);
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Ready, await worker.WishAsync("ghost", loaded: true), "its new files can't be loaded"));

        Assert.Contains("its new files can't be loaded", (string?)(await load).MustBe(503, "model_not_ready").Json["error"], StringComparison.Ordinal);
        (await server.Client.FetchAsync("/v2/models/ghost/ready")).MustBe(200);
        var entry = (await server.Client.AskAsync(HttpMethod.Post, "/v2/repository/index")).MustBe(200).Json.AsArray().Single(e => (string?)e!["name"] == "ghost")!;
        Assert.Equal(("READY", "its new files can't be loaded"), ((string?)entry["state"], (string?)entry["reason"]));
    }

    [Fact]
    public async Task Given_a_worker_that_does_nothing_When_asked_Then_504_and_the_wish_is_kept()
    {
        await using var server = await StartAsync("Millrace:Repository:Timeout=00:00:01");
        var worker = new FakeWorker(server, "w");
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Ready, 0));
        await worker.SeenAsync("ghost", "READY");

        (await server.Client.AskAsync(HttpMethod.Post, Load)).MustBe(504, "deadline_exceeded");
        var first = await worker.WishAsync("ghost", loaded: true);
        (await server.Client.AskAsync(HttpMethod.Post, Unload)).MustBe(504, "deadline_exceeded");
        await worker.WishAsync("ghost", loaded: false, after: first);
    }

    [Fact]
    public async Task Given_an_unload_When_every_worker_has_done_it_Then_200_and_calls_are_refused_with_the_reason()
    {
        await using var server = await StartAsync();
        var worker = new FakeWorker(server, "w");
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Ready, 0));
        await worker.SeenAsync("ghost", "READY");

        var unload = server.Client.PostAsync(Unload, """{"parameters":{"unload_dependents":true}}""");
        var wish = await worker.WishAsync("ghost", loaded: false);
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Unloading, wish));
        await worker.SeenAsync("ghost", "UNLOADING");
        Assert.False(unload.IsCompleted, "The worker still unloads.");
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Unavailable, wish, "unloaded on request"));

        Assert.Equal("""{"name":"ghost","unload":true}""", (await unload).MustBe(200).Text);
        foreach (var answer in new[] { await server.Client.FetchAsync("/v2/models/ghost/ready"), await server.Client.PostAsync("/v2/models/ghost/infer", Bodies.In("FP32", 1)) })
            Assert.Contains("unloaded on request", (string?)answer.MustBe(503, "model_not_ready").Json["error"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_model_whose_workers_have_left_When_unloaded_and_loaded_Then_the_API_refuses_and_takes_calls_for_the_workers_to_come()
    {
        await using var server = await StartAsync("Millrace:Repository:FindTimeout=00:00:00.200");
        var worker = new FakeWorker(server, "w");
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Ready, 0));
        await worker.LeaveAsync();
        await worker.SeenAsync("ghost", "READY");

        (await server.Client.AskAsync(HttpMethod.Post, Unload)).MustBe(200);
        (await server.Client.FetchAsync("/v2/models/ghost/ready")).MustBe(503, "model_not_ready");
        (await server.Client.PostAsync("/v1/jobs", Bodies.Job("ghost", Bodies.In("FP32", 1)))).MustBe(503, "model_not_ready");

        Assert.Contains("The wish is kept", (string?)(await server.Client.AskAsync(HttpMethod.Post, Load)).MustBe(503, "unavailable").Json["error"], StringComparison.Ordinal);
        (await server.Client.FetchAsync("/v2/models/ghost/ready")).MustBe(200);
        (await server.Client.PostAsync("/v1/jobs", Bodies.Job("ghost", Bodies.In("FP32", 1)))).MustBe(202); // it waits for a worker
    }

    [Theory]
    [InlineData("nope")]
    [InlineData("a%2Fb")]
    [InlineData("..")]
    [InlineData("%2E%2E")]
    public async Task Given_a_model_that_no_worker_has_When_asked_for_Then_404(string model)
    {
        await using var server = await StartAsync("Millrace:Repository:FindTimeout=00:00:00.200");
        foreach (var action in (string[])["load", "unload"])
            Assert.Equal(404, (await server.Client.AskAsync(HttpMethod.Post, $"/v2/repository/models/{model}/{action}")).MustBe(404).Status);
    }

    [Theory]
    [Attack(44)]
    [InlineData("""{"parameters":{"config":"{}"}}""", "invalid_request")]
    [InlineData("""{"parameters":{"file:1/model.onnx":"AAAA"}}""", "invalid_request")]
    [InlineData("""{"parameters":{"config":null}}""", "invalid_request")]
    [InlineData("""{"parameters":{"unload_dependents":"yes"}}""", "invalid_request")]
    [InlineData("""{"parameters":{"x":{}}}""", "invalid_request")]
    [InlineData("""{"parameters":[]}""", "invalid_request")]
    [InlineData("[]", "invalid_request")]
    [InlineData("{", "invalid_json")]
    [InlineData("""{"parameters":{"\ud800":1}}""", "invalid_json")]
    public async Task Given_a_model_sent_along_or_a_bad_body_When_asked_Then_400_and_nothing_is_wished(string body, string code)
    {
        await using var server = await StartAsync();
        foreach (var action in (string[])["load", "unload"])
            (await server.Client.PostAsync($"/v2/repository/models/ident_fp32/{action}", body)).MustBe(400, code);
        Assert.DoesNotContain((await server.Client.FetchAsync("/v1/audit")).MustBe(200).Json["data"]!.AsArray(), r => ((string?)r!["action"])!.StartsWith("model.", StringComparison.Ordinal));
    }

    [Fact]
    [Attack(44)]
    [Conformance(33)]
    public async Task Given_keys_without_the_role_admin_When_they_load_and_unload_Then_403_and_it_is_audited()
    {
        await using var server = await StartAsync();
        using var admin = await server.Client.CloseAsync();
        foreach (var role in (string[])["submit", "read", "operate"])
        {
            using var client = await admin.MakeKeyAsync("default", role);
            foreach (var action in (string[])["load", "unload"])
                (await client.AskAsync(HttpMethod.Post, $"/v2/repository/models/ident_fp32/{action}")).MustBe(403, "forbidden");
        }
        var audit = (await admin.FetchAsync("/v1/audit")).MustBe(200).Json["data"]!.AsArray().Where(r => ((string?)r!["action"])!.StartsWith("model.", StringComparison.Ordinal)).ToArray();
        Assert.Equal(6, audit.Length);
        Assert.All(audit, r => Assert.Equal(("refused", "ident_fp32"), ((string?)r!["outcome"], (string?)r["target"])));
        (await admin.FetchAsync("/v2/models")).MustBe(403);
    }

    /// <summary>With one real worker, which has another model.</summary>
    private Task<MillraceServer> StartAsync(params string[] settings) => MillraceServer.StartAsync(_models.Path, [.. Keys.Unlimited, .. settings]);

    public void Dispose() => _models.Dispose();
}
