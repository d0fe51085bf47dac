using Microsoft.Extensions.DependencyInjection;
using Millrace.Storage.Announcements;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>What <c>model.json</c> may say, and what is said of one that says otherwise.</summary>
public sealed class ModelConfigTests : IDisposable
{
    private readonly LiveModels _models = new();

    public void Dispose() => _models.Dispose();

    [Theory]
    [InlineData("""{"instances": 0}""", "/instances is 0; it must be a whole number from 1 to 64")]
    [InlineData("""{"instances": 65}""", "/instances is 65")]
    [InlineData("""{"instances": "2"}""", "/instances is \"2\"")]
    [InlineData("""{"instances": 1.5}""", "/instances is 1.5")]
    [InlineData("""{"threads": 0}""", "/threads is 0")]
    [InlineData("""{"max_batch_size": -1}""", "/max_batch_size is -1; it must be a whole number from 0 to 65536")]
    [InlineData("""{"preferred_batch_sizes": [4, 0]}""", "/preferred_batch_sizes/1 is 0")]
    [InlineData("""{"preferred_batch_sizes": 4}""", "/preferred_batch_sizes is 4; it must be a list")]
    [InlineData("""{"max_queue_delay_microseconds": 60000001}""", "/max_queue_delay_microseconds is 60000001")]
    [InlineData("""{"max_output_bytes": 0}""", "/max_output_bytes is 0")]
    [InlineData("""{"warm_up": -1}""", "/warm_up is -1")]
    [InlineData("""{"sticky": 1}""", "/sticky is 1; it must be true or false")]
    [InlineData("""{"sticky_header": "X User"}""", "/sticky_header is \"X User\"; it must be the name of a header")]
    [InlineData("""{"traffic": {"one": 1}}""", "/traffic names the version one")]
    [InlineData("""{"traffic": {"1": -1}}""", "/traffic/1 is -1")]
    [InlineData("""{"traffic": {"1": 0}}""", "/traffic gives each version 0")]
    [InlineData("""{"traffic": []}""", "/traffic is []")]
    [InlineData("""{"version_policy": {"newest": {}}}""", "/version_policy is {\"newest\": {}}; it must be {\"all\": {}}")]
    [InlineData("""{"version_policy": {"latest": {"num_versions": 0}}}""", "/version_policy/latest/num_versions is 0")]
    [InlineData("""{"version_policy": {"specific": {"versions": [0]}}}""", "/version_policy/specific/versions/0 names the version 0")]
    [InlineData("""{"version_policy": {"all": {}, "latest": {}}}""", "/version_policy is")]
    [InlineData("""{"labels": {"OUT": "../labels.txt"}}""", "/labels/OUT is \"../labels.txt\"; it must be the path of a file below the model's folder")]
    [InlineData("""{"labels": {"OUT": "/etc/passwd"}}""", "/labels/OUT is")]
    [InlineData("""{"labels": {"OUT": "nowhere.txt"}}""", "nowhere.txt is not there")]
    [InlineData("""{"labels": {"NONE": "model.json"}}""", "/labels names the output NONE; the model has OUT")]
    [InlineData("""{"instanses": 1}""", "/instanses is not known; there are instances, labels,")]
    [InlineData("""{"instances": 1, "instances": 2}""", "not valid JSON")]
    [InlineData("[]", "the whole is []; it must be an object")]
    [InlineData("{", "not valid JSON")]
    public async Task Given_settings_that_are_none_When_loaded_Then_the_model_is_unavailable_and_the_reason_names_the_member(string json, string reason)
    {
        _models.Put("stepper", "1", "stepper", "1");
        _models.Put("other", "1", "ident_fp32");
        _models.Configure("stepper", json);
        await using var server = await _models.StartAsync();

        var (state, said) = await server.Client.IndexAsync("stepper", "1");
        Assert.Equal("UNAVAILABLE", state);
        Assert.Contains(reason, said);
        Assert.Equal("READY", (await server.Client.IndexAsync("other", "1")).State);
    }

    [Fact]
    public async Task Given_all_settings_When_loaded_Then_they_are_announced()
    {
        _models.Put("stepper", "1", "stepper", "1");
        _models.Configure("stepper", """
            {
                "max_batch_size": 8, "instances": 2, "threads": 2, "preferred_batch_sizes": [4, 8], "max_queue_delay_microseconds": 100, "max_output_bytes": 1000,
                "version_policy": {"specific": {"versions": [1, "3"]}}, "labels": {"OUT": "labels.txt"}, "warm_up": 2, "traffic": {"1": 90, "3": 10}, "sticky": true, "sticky_header": "X-User", // why
            }
            """);
        File.WriteAllText(Path.Combine(_models.Path, "stepper", "labels.txt"), "zero\none\n");
        await using var server = await _models.StartAsync();

        var announced = await AnnouncedAsync(server);
        Assert.Equal((ModelState.Ready, 8, 2), (announced.State, announced.MaxBatchSize, announced.Instances));
        var settings = announced.Settings;
        Assert.Equal((2, 100, """{"specific":{"versions":[1,3]}}""", true, "X-User"),
            (settings.Threads, settings.MaxQueueDelayMicroseconds, settings.VersionPolicy, settings.IsSticky, settings.StickyHeader));
        Assert.Equal([4, 8], settings.PreferredBatchSizes);
        Assert.Equal((90, 10), (settings.Traffic["1"], settings.Traffic["3"]));
    }

    [Fact]
    public async Task Given_settings_of_traffic_that_change_When_seen_Then_they_are_announced()
    {
        _models.Put("stepper", "1", "stepper", "1");
        await using var server = await _models.StartAsync();

        _models.Configure("stepper", """{"traffic": {"1": 5}}""");
        await Waiting.UntilAsync(async () => (await AnnouncedAsync(server)).Settings.Traffic.GetValueOrDefault("1") == 5, "the weight is announced");

        Assert.Equal(ModelState.Ready, (await AnnouncedAsync(server)).State);
    }

    [Theory]
    [InlineData("""{"warm_up": 1}""", "UNAVAILABLE")]
    [InlineData("""{"warm_up": 0}""", "READY")]
    [InlineData("{}", "READY")]
    public async Task Given_a_model_that_fails_on_zeros_When_loaded_Then_it_serves_unless_warm_up_asks_for_them(string json, string state)
    {
        _models.Put("bad", "1", "bad");
        _models.Put("other", "1", "ident_fp32");
        _models.Configure("bad", json);
        await using var server = await _models.StartAsync();

        Assert.Equal(state, (await server.Client.IndexAsync("bad", "1")).State);
        if (state == "UNAVAILABLE")
            Assert.Contains("warm_up", (await server.Client.IndexAsync("bad", "1")).Reason);
    }

    private static async Task<AnnouncedModel> AnnouncedAsync(MillraceServer server) =>
        (await server.Services.GetRequiredService<IAnnouncementStore>().ReadAsync(WorkerLiveness.AliveWithin, TestContext.Current.CancellationToken)).Models.Single(m => m.Name == "stepper");
}
