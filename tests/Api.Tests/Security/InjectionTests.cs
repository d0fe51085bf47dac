using System.Diagnostics.Metrics;
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

    [Fact]
    [Attack(37)]
    public async Task Given_hundreds_of_names_and_methods_When_called_Then_what_is_counted_has_labels_of_closed_lists_only()
    {
        var labels = new HashSet<(string, string)>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == "Millrace")
                l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Note(instrument, tags));
        listener.SetMeasurementEventCallback<int>((instrument, _, tags, _) => Note(instrument, tags));
        listener.Start();
        for (var at = 0; at < 300; at++)
        {
            await fixture.Client.AskAsync(new HttpMethod(at % 3 == 0 ? "BREW" : "POST"), $"/v2/models/m{Guid.NewGuid():N}/infer", new StringContent("{}"), ("User-Agent", $"agent-{at}"), ("Origin", "null"));
            await fixture.Client.FetchAsync($"/r{Guid.NewGuid():N}");
        }
        listener.RecordObservableInstruments();
        lock (labels)
        {
            Assert.NotEmpty(labels);
            Assert.All(labels, label => Assert.True(label.Item1 is "code" or "circuit" && label.Item2.Length < 20, $"{label}"));
            Assert.InRange(labels.Count, 1, 12);
        }

        void Note(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            lock (labels)
            {
                foreach (var tag in tags)
                    labels.Add((tag.Key, $"{tag.Value}"));
            }
        }
    }
}
