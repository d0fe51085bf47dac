using Millrace.Api.Tests.Inference;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Traffic;

/// <summary>Which version takes a call that names none.</summary>
public sealed class SplitTests
{
    private const string Half = """{"traffic": {"1": 50, "2": 50}}""";
    private static readonly string[] Unlimited = [.. Keys.Unlimited, "Millrace:Limits:MaxRequests=2000"];
    private static readonly object Body = Bodies.In("FP32", 1);

    [Fact]
    public async Task Given_weights_When_many_call_Then_each_version_gets_about_its_share_and_answers_as_itself()
    {
        using var models = SplitModel.Of("""{"traffic": {"1": 80, "2": 20}}""", "stepper/1", "stepper/2");
        await using var server = await MillraceServer.StartAsync(models.Path, Unlimited);

        var answers = await Task.WhenAll(Enumerable.Range(0, 400).Select(_ => server.Client.InferAsync("m", Body)));

        foreach (var answer in answers)
            answer.MustBe(200).MustGive("OUT", 1f + int.Parse(Version(answer), System.Globalization.CultureInfo.InvariantCulture)); // validated, run and named as one version
        Assert.InRange(answers.Count(a => Version(a) == "2"), 40, 130); // 80, and five deviations
        Assert.Equal((0.8, 0.2), ((double)(await server.Client.TrafficAsync("1"))["share"]!, (double)(await server.Client.TrafficAsync("2"))["share"]!));
    }

    [Fact]
    public async Task Given_weights_When_jobs_are_sent_Then_each_is_pinned_to_the_version_that_it_drew()
    {
        using var models = SplitModel.Of(Half, "stepper/1", "stepper/2");
        await using var server = await MillraceServer.StartAsync(models.Path, Unlimited);
        var drawn = new HashSet<string>();
        for (var at = 0; at < 40; at++)
        {
            var id = await server.Client.SubmitAsync("m", Body);
            var job = await server.Client.EndAsync(id);
            var version = (string)job["model_version"]!;
            drawn.Add(version);
            Assert.Equal(version, Version((await server.Client.FetchAsync($"/v1/jobs/{id}/result")).MustBe(200)));
        }
        Assert.Equal(["1", "2"], drawn.Order());
    }

    [Fact]
    public async Task Given_a_version_without_a_weight_When_calls_name_none_Then_it_gets_none_of_them_and_named_ones_all_the_same()
    {
        using var models = SplitModel.Of("""{"traffic": {"1": 5}}""", "stepper/1", "stepper/2");
        await using var server = await MillraceServer.StartAsync(models.Path, Unlimited);

        for (var at = 0; at < 20; at++)
            Assert.Equal("1", Version((await server.Client.InferAsync("m", Body)).MustBe(200)));

        (await server.Client.PostAsync("/v2/models/m/versions/2/infer", Body)).MustBe(200).MustGive("OUT", 3f);
        Assert.Equal("1", (string?)(await server.Client.FetchAsync("/v2/models/m")).MustBe(200).Json["properties"]!["version"]); // what a caller would be checked by
    }

    [Theory]
    [InlineData("""{"traffic": {"1": 1, "3": 99}}""", "1")] // 3 is broken
    [InlineData("""{"traffic": {"2": 0, "1": 1}}""", "1")]
    [InlineData("""{"traffic": {"3": 100}}""", "2")] // nothing in force: the newest that is ready
    [InlineData("""{"traffic": {"7": 100}}""", "2")]
    public async Task Given_weights_of_versions_that_can_t_serve_When_called_Then_the_others_do(string settings, string version)
    {
        using var models = SplitModel.Of(settings, "stepper/1", "stepper/2", "cold/1");
        await using var server = await MillraceServer.StartAsync(models.Path, Unlimited);
        for (var at = 0; at < 20; at++)
            Assert.Equal(version, Version((await server.Client.InferAsync("m", Body)).MustBe(200)));
        (await server.Client.FetchAsync("/v2/models/m/ready")).MustBe(200);
    }

    [Fact]
    public async Task Given_a_sticky_header_When_its_value_comes_again_Then_so_does_the_version_and_values_are_shared_by_weight()
    {
        using var models = SplitModel.Of("""{"traffic": {"1": 80, "2": 20}, "sticky": true, "sticky_header": "X-User"}""", "stepper/1", "stepper/2");
        await using var server = await MillraceServer.StartAsync(models.Path, Unlimited);
        var first = await AskAllAsync();
        Assert.Equal(first, await AskAllAsync());
        Assert.InRange(first.Count(v => v == "2"), 15, 95); // 50, and five deviations, of values that are always the same

        var without = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => server.Client.InferAsync("m", Body)));
        Assert.Equal(2, without.Select(Version).Distinct().Count()); // nobody is known here by a key, so chance decides

        async Task<string[]> AskAllAsync() =>
            (await Task.WhenAll(Enumerable.Range(0, 250).Select(at => server.Client.InferAsync("m", Body, ("X-User", $"user-{at}"))))).Select(Version).ToArray();
    }

    [Fact]
    public async Task Given_sticky_without_the_header_When_callers_have_keys_Then_each_key_stays_on_its_version()
    {
        using var models = SplitModel.Of("""{"traffic": {"1": 50, "2": 50}, "sticky": true}""", "stepper/1", "stepper/2");
        await using var server = await MillraceServer.StartAsync(models.Path, Unlimited);
        using var admin = await server.Client.CloseAsync();
        for (var caller = 0; caller < 4; caller++)
        {
            using var client = await admin.MakeKeyAsync($"t{caller}", "submit");
            var versions = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => client.InferAsync("m", Body)));
            Assert.Single(versions.Select(Version).Distinct());
        }
    }

    [Fact]
    public async Task Given_a_split_When_its_list_is_read_Then_other_tenants_do_not_see_it_and_operators_do()
    {
        using var models = SplitModel.Of(Half, "stepper/1", "stepper/2");
        await using var server = await MillraceServer.StartAsync(models.Path, [.. Keys.Unlimited, "Millrace:Access:Models:m=a"]);
        using var admin = await server.Client.CloseAsync();
        Assert.Equal((1, 0, 1, 403), (await ReadAsync("a", "read"), await ReadAsync("b", "read"), await ReadAsync("b", "operate"), await ReadAsync("a", "submit")));

        async Task<int> ReadAsync(string tenant, string role)
        {
            using var client = await admin.MakeKeyAsync(tenant, role);
            var answer = await client.FetchAsync("/v1/traffic");
            return answer.Status == 200 ? answer.Json["data"]!.AsArray().Count : answer.Status;
        }
    }

    private static string Version(Answer answer) => (string)answer.MustBe(200).Json["model_version"]!;
}
