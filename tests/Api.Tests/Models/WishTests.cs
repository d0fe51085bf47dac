using Microsoft.Extensions.DependencyInjection;
using Millrace.Api.Tests.Inference;
using Millrace.Api.Tests.Jobs;
using Millrace.Hosting.Broker;
using Millrace.Messages;
using Millrace.Storage.Announcements;
using Millrace.Storage.Audit;
using Millrace.Storage.Models;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>A model is wished to be unloaded, or loaded: the worker makes it true and says that it did.</summary>
public sealed class WishTests : IDisposable
{
    private static readonly object One = Bodies.In("FP32", 1);

    private readonly LiveModels _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public async Task Given_a_model_in_service_When_it_is_unloaded_Then_it_is_unavailable_and_still_described_and_its_jobs_wait_until_it_is_loaded()
    {
        _models.Put("stepper", "1", "stepper", "1");
        _models.Put("other", "1", "ident_fp32");
        await using var server = await _models.StartAsync();
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/stepper/pause")).MustBe(200);
        var job = await server.Client.SubmitAsync("stepper", One);

        var unload = await WishAsync(server, "stepper", loaded: false);
        await server.Client.UntilIndexAsync("stepper", "1", "UNAVAILABLE");
        (await server.Client.AskAsync(HttpMethod.Post, "/v1/queues/stepper/resume")).MustBe(200);

        Assert.Equal("unloaded on request", (await server.Client.IndexAsync("stepper", "1")).Reason);
        Assert.Equal(unload, (await AnnouncedAsync(server, "stepper")).Wish);
        (await server.Client.InferAsync("stepper", One)).MustBe(503, "model_not_ready");
        Assert.Equal("IN", (string?)(await server.Client.FetchAsync("/v2/models/stepper")).MustBe(200).Json["inputs"]![0]!["name"]);
        (await server.Client.InferAsync("other", One)).MustBe(200);
        await WaitForPassesAsync(server, 10);
        Assert.Equal(("queued", 0), (await server.Client.ReadAsync(job) is var waits ? ((string)waits["state"]!, (int)waits["attempt"]!) : default));

        var load = await WishAsync(server, "stepper", loaded: true);
        await server.Client.UntilIndexAsync("stepper", "1", "READY");

        Assert.Equal(load, (await AnnouncedAsync(server, "stepper")).Wish);
        Assert.Equal(("succeeded", 1), (await server.Client.EndAsync(job) is var ended ? ((string)ended["state"]!, (int)ended["attempt"]!) : default));
        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 2f);
    }

    [Fact]
    [Conformance(33)]
    public async Task Given_a_model_in_service_When_it_is_unloaded_and_loaded_by_calls_Then_each_is_answered_when_it_is_true()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync();

        foreach (var (action, status) in ((string, int)[])[("unload", 503), ("unload", 503), ("load", 200), ("load", 200), ("unload", 503), ("load", 200)])
        {
            (await server.Client.PostAsync($"/v2/repository/models/stepper/{action}", "{}")).MustBe(200);
            (await server.Client.FetchAsync("/v2/models/stepper/ready")).MustBe(status);
            (await server.Client.InferAsync("stepper", One)).MustBe(status);
        }
    }

    [Fact]
    public async Task Given_a_model_in_service_When_it_is_wished_loaded_Then_it_is_loaded_anew_and_no_request_fails()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync();
        using var end = new CancellationTokenSource();
        var calls = Task.Run(async () =>
        {
            while (!end.IsCancellationRequested)
                (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 2f);
        }, TestContext.Current.CancellationToken);

        var wish = await WishAsync(server, "stepper", loaded: true);
        await Waiting.UntilAsync(async () => (await AnnouncedAsync(server, "stepper")) is var now && now.Wish == wish, "the wish is true");

        Assert.Equal(ModelState.Ready, (await AnnouncedAsync(server, "stepper")).State);
        await end.CancelAsync();
        await calls;
    }

    [Fact]
    public async Task Given_scans_at_start_alone_When_a_model_is_wished_loaded_Then_what_lies_there_now_is_loaded()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync("Millrace:Models:ScanEvery=00:00:00");
        _models.Put("stepper", "2", "stepper", "2");

        await WishAsync(server, "stepper", loaded: true);
        await server.Client.UntilIndexAsync("stepper", "2", "READY");

        (await server.Client.InferAsync("stepper", One)).MustBe(200).MustGive("OUT", 3f);
    }

    [Fact]
    public async Task Given_a_wish_for_what_is_not_here_When_read_Then_nothing_is_announced_of_it()
    {
        _models.Put("stepper", "1", "stepper", "1");
        _models.Put("other", "1", "ident_fp32");
        await using var server = await _models.StartAsync("Millrace:Models:Names=stepper");

        foreach (var (model, loaded) in ((string, bool)[])[("nowhere", true), ("other", true), ("nowhere", false)])
            await WishAsync(server, model, loaded);
        await WaitForPassesAsync(server, 3);

        Assert.Equal("""{"models":["stepper"]}""", (await server.Client.FetchAsync("/v2/models")).Text);
    }

    [Fact]
    public async Task Given_a_model_that_was_unloaded_When_the_server_starts_again_Then_it_stays_unloaded()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync();
        await WishAsync(server, "stepper", loaded: false);
        await server.Client.UntilIndexAsync("stepper", "1", "UNAVAILABLE");
        using var data = new TemporaryFolder();
        File.Copy(Path.Combine(server.DataFolder, "millrace.db"), Path.Combine(data.Path, "millrace.db"));
        await server.StopAsync();
        foreach (var file in Directory.GetFiles(server.DataFolder, "millrace.db*"))
            File.Copy(file, Path.Combine(data.Path, Path.GetFileName(file)), overwrite: true);

        await using var again = await _models.StartAsync($"Millrace:Store:Path={data.Path}");

        Assert.Equal(("UNAVAILABLE", "unloaded on request"), await again.Client.IndexAsync("stepper", "1"));
        Assert.Equal(200, (await again.Management.FetchAsync("/health/ready")).Status);
    }

    [Fact]
    public async Task Given_requests_to_a_version_When_it_is_unloaded_Then_what_it_did_is_still_counted()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync();
        var store = server.Services.GetRequiredService<IModelStore>();
        (await server.Client.InferAsync("stepper", Bodies.In("FP32", 1, 2, 3))).MustBe(200);
        await Waiting.UntilAsync(async () => (await CountedAsync()).InferenceCount == 3, "the run is reported");
        Assert.Equal(new FileInfo(_models.File("stepper", "1")).Length, (await CountedAsync()).MemoryBytes);

        await WishAsync(server, "stepper", loaded: false);
        await Waiting.UntilAsync(async () => (await CountedAsync()).MemoryBytes == 0, "it takes no memory any more");

        Assert.Equal((3, 1, 1), (await CountedAsync() is var all ? (all.InferenceCount, all.ExecutionCount, all.Success.Count) : default));

        async Task<VersionStatistics> CountedAsync() =>
            (await store.ReadStatisticsAsync(TestContext.Current.CancellationToken)).SingleOrDefault(s => s.Model == "stepper") ?? new VersionStatistics { Model = "", Version = "" };
    }

    private static async Task<long> WishAsync(MillraceServer server, string model, bool loaded)
    {
        var wish = await server.Services.GetRequiredService<IModelStore>()
            .WishAsync(model, loaded, new AuditEntry("open", "default", "model.wish", model, null), TestContext.Current.CancellationToken);
        await server.Services.GetRequiredService<IEventBus>().PublishAsync(new ModelWished { Model = model }, TestContext.Current.CancellationToken);
        return wish;
    }

    private static async Task<AnnouncedModel> AnnouncedAsync(MillraceServer server, string model) =>
        (await server.Services.GetRequiredService<IAnnouncementStore>().ReadAsync(WorkerLiveness.AliveWithin, TestContext.Current.CancellationToken)).Models.Single(m => m.Name == model);

    private static async Task WaitForPassesAsync(MillraceServer server, int more)
    {
        var passes = await HotRepositoryTests.PassesAsync(server);
        await Waiting.UntilAsync(async () => await HotRepositoryTests.PassesAsync(server) >= passes + more, "there were passes");
    }
}
