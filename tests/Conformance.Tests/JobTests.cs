using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Millrace.Conformance.Tests.Cases;
using Millrace.Conformance.Tests.Judging;
using Millrace.Conformance.Tests.Table;
using Millrace.Conformance.Tests.Transports;
using Millrace.Tests.Support;

namespace Millrace.Conformance.Tests;

/// <summary>A dozen of the table as jobs: through the store, the queue and back, and still every bit.</summary>
[Collection(Alone.Name)]
public sealed class JobTests(ServedTable table)
{
    private readonly HttpClient _client = table.Server.Client;

    [Theory]
    [InlineData("scalar")]
    [InlineData("type_bool")]
    [InlineData("type_uint64")]
    [InlineData("type_bytes")]
    [InlineData("type_fp64")]
    [InlineData("rank5")]
    [InlineData("empty_out")]
    [InlineData("mixed_types")]
    [InlineData("odd_names")]
    [InlineData("conv")]
    [InlineData("lstm")]
    [InlineData("top2")]
    [InlineData("tree_names")]
    [InlineData("no_input")]
    [InlineData("cast_floats")]
    public async Task Given_a_model_When_asked_by_a_job_Then_every_bit_of_the_result_is_its_own(string name)
    {
        using var model = ModelTable.Open(name);
        foreach (var asked in CaseGenerator.All(model).Where(a => a.Inputs.All(i => i.InJson())))
        {
            var expected = model.Run(asked.Inputs);
            var job = await RunAsync(name, asked);
            Assert.True((string?)job["state"] == (expected is null ? "failed" : "succeeded"), $"{asked}: {job.ToJsonString()}");
            if (expected is null)
                continue;
            var result = (string)job["urls"]!["result"]!;

            using var json = await _client.GetAsync(result, TestContext.Current.CancellationToken);
            var text = await json.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            if (expected.All(o => o.InJson()))
                Assert.Null(Comparison.Differ(expected, JsonTransport.Read(text).Outputs, Exactness.Bits));
            else
                Assert.Equal(406, (int)json.StatusCode);
            Assert.Null(Comparison.Differ(expected, (await ReadBinaryAsync(result)).Outputs, Exactness.Bits));
        }
    }

    private async Task<JsonNode> RunAsync(string model, Case asked)
    {
        var body = $$"""{"model":"{{model}}","max_attempts":1,"inference":{{Encoding.UTF8.GetString(JsonTransport.Body(asked))}}}""";
        return (await _client.PostAsync("/v1/jobs", body, ("Prefer", "wait=30"))).MustBe(200).Json;
    }

    private async Task<Reply.Answered> ReadBinaryAsync(string result)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, result);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/octet-stream"));
        using var response = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)response.StatusCode);
        return BinaryTransport.Read(response, await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }
}
