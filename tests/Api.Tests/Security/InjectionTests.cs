using Millrace.Api.Tests.Inference;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Security;

/// <summary>Texts that mean something to what they pass through: SQL, type names, metric labels.</summary>
public sealed class InjectionTests(ServerFixture fixture)
{
    [Fact]
    [Attack(48)]
    public async Task Given_SQL_in_every_place_of_a_request_When_sent_Then_it_is_text_and_the_table_is_there()
    {
        const string sql = "'; drop table jobs;--";
        var id = await fixture.Client.SubmitAsync("ident_uint16", Bodies.In("UINT16", 1), m => m["metadata"] = new Dictionary<string, string> { [sql] = sql, ["like"] = "a%_b" });
        await fixture.Client.EndAsync(id);
        var escaped = Uri.EscapeDataString(sql);
        Assert.Equal(id, (string?)Assert.Single(await ListAsync($"metadata.{escaped}={escaped}"))!["id"]);
        Assert.Empty(await ListAsync($"model={escaped}"));
        Assert.Empty(await ListAsync($"fingerprint={escaped}"));
        Assert.Single(await ListAsync("metadata.like=a%25_b"));
        Assert.Empty(await ListAsync("metadata.like=a%25")); // no pattern
        Assert.Empty(await ListAsync("metadata.like=aXXb"));
        (await fixture.Client.FetchAsync($"/v1/jobs?state={escaped}")).MustBe(400, "invalid_request");
        (await fixture.Client.FetchAsync($"/v1/jobs?order={escaped}")).MustBe(400, "invalid_request");
        (await fixture.Client.FetchAsync("/v1/jobs?sort=password_hash")).MustBe(400, "invalid_request");
        (await fixture.Client.FetchAsync($"/v1/jobs?cursor={escaped}")).MustBe(400, "invalid_cursor");
        (await fixture.Client.FetchAsync($"/v2/models/{escaped}")).MustBe(404, "model_not_found");
        Assert.Equal(414, (await fixture.Client.FetchAsync($"/v1/jobs?model={new string('x', 1 << 20)}")).Status);
        Assert.Equal("succeeded", await fixture.Client.StateAsync(id));

        async Task<System.Text.Json.Nodes.JsonArray> ListAsync(string query) => (await fixture.Client.FetchAsync($"/v1/jobs?{query}")).MustBe(200).Json["data"]!.AsArray();
    }

    [Theory]
    [Attack(49)]
    [InlineData("$type")]
    [InlineData("__type")]
    [InlineData("$ref")]
    public async Task Given_names_of_types_in_a_body_When_sent_Then_v2_ignores_and_v1_refuses_them(string member)
    {
        var name = "System.Diagnostics.Process, System.Diagnostics.Process";
        (await fixture.Client.InferTextAsync("ident_fp32", $$"""{"{{member}}":"{{name}}","inputs":[{"{{member}}":"{{name}}","name":"IN","datatype":"FP32","shape":[1],"data":[1]}]}""")).MustBe(200);
        (await fixture.Client.PostAsync("/v1/jobs", $$"""{"{{member}}":"{{name}}","model":"ident_fp32","inference":{"inputs":[{"name":"IN","datatype":"FP32","shape":[1],"data":[1]}]} }""")).MustBe(400, "invalid_request");
        (await fixture.Client.PostAsync("/v1/keys", $$"""{"{{member}}":"{{name}}","name":"x","roles":["admin"]}""")).MustBe(400, "invalid_request");
    }

    [Fact]
    [Attack(49)]
    public void Given_the_sources_When_searched_Then_nothing_reads_types_by_their_names()
    {
        string[] forbidden = ["BinaryFormatter", "TypeNameHandling", "JsonPolymorphic", "JsonDerivedType", "NetDataContractSerializer", "Type.GetType(", "XmlSerializer"];
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories))
            Assert.All(forbidden, word => Assert.DoesNotContain(word, File.ReadAllText(file), StringComparison.Ordinal));
    }

    private const int Names = 50_000;

    [Fact]
    [Attack(37)]
    public async Task Given_50000_names_and_methods_When_called_Then_the_metrics_hardly_grow()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels);
        (await server.Client.InferAsync("ident_fp32", Bodies.In("FP32", 1))).MustBe(200);
        var before = await Scrape.OfAsync(server.Management);
        await Parallel.ForEachAsync(Enumerable.Range(0, Names / 2), new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = TestContext.Current.CancellationToken }, AskAsync);
        var after = await Scrape.OfAsync(server.Management);
        Assert.Equal(Names / 2, after.Sum("millrace_http_requests_total", ("lane", "submit"), ("code", "404"))); // they were counted
        Assert.InRange(Series(after).Except(Series(before)).Count(), 1, 10);

        static IEnumerable<string> Series(Scrape scrape) => scrape.Series.Where(s => !s.Labels.ContainsKey("le") && !s.Labels.ContainsKey("pass") && !s.Name.EndsWith("_sum", StringComparison.Ordinal))
            .Select(s => $"{s.Name} {string.Join(',', s.Labels)}"); // one for each histogram; loops have their first pass at any time

        async ValueTask AskAsync(int at, CancellationToken _)
        {
            var call = (at % 3) switch
            {
                0 => server.Client.AskAsync(new HttpMethod($"BREW{at}"), $"/v2/models/m{Guid.NewGuid():N}/infer", new StringContent("{}"), ("User-Agent", $"agent-{at}"), ("Origin", "null")),
                1 => server.Client.FetchAsync($"/r{Guid.NewGuid():N}"),
                _ => server.Client.AskAsync(HttpMethod.Post, $"/v2/models/m{Guid.NewGuid():N}/infer", new StringContent("{}"), ("User-Agent", $"agent-{at}")),
            };
            await call;
            await server.Client.PostAsync("/v1/jobs", Bodies.Job($"m{Guid.NewGuid():N}", Bodies.In("FP32", 1)));
        }
    }
}
