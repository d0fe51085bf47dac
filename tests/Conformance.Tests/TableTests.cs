using Millrace.Conformance.Tests.Table;
using Millrace.Hosting.Inference;
using Millrace.Tests.Support;

namespace Millrace.Conformance.Tests;

/// <summary>That the table is wide enough, and what of it is not served.</summary>
[Collection(Alone.Name)]
public sealed class TableTests(ServedTable table)
{
    private const int NewestOpset = 22;

    [Fact]
    public void Given_the_table_When_counted_Then_no_datatype_no_rank_and_no_opset_is_missing()
    {
        var models = ModelTable.Names.Select(ModelTable.Open).ToArray();
        try
        {
            OpenTensor[] inputs = [.. models.SelectMany(m => m.Inputs)], outputs = [.. models.SelectMany(m => m.Outputs)];
            Assert.All([inputs, outputs], side => Assert.Equal(Enum.GetValues<Datatype>(), side.Select(t => t.Datatype).Distinct().Order()));
            Assert.All([inputs, outputs], side => Assert.Superset(new HashSet<int> { 0, 1, 2, 3, 4 }, side.Select(t => t.Shape.Count).ToHashSet()));
            Assert.Contains(inputs, t => t.Shape.Count == 5);
            Assert.Superset(Enumerable.Range(7, NewestOpset - 6).Select(o => (long)o).ToHashSet(), models.Select(m => m.Opset).ToHashSet());
        }
        finally
        {
            foreach (var model in models)
                model.Dispose();
        }
    }

    [Theory]
    [InlineData("unserved_sequence", "output OUT is a sequence")]
    [InlineData("unserved_map", "output OUT is a sequence")] // of maps
    [InlineData("unserved_optional", "input IN is optional")]
    [InlineData("unserved_float8", "datatype")]
    public async Task Given_a_model_that_the_protocol_has_no_words_for_When_the_repository_is_listed_Then_the_reason_says_so(string model, string reason)
    {
        var index = (await table.Server.Client.PostAsync("/v2/repository/index", "{}")).MustBe(200).Json.AsArray();

        var entry = index.Single(e => (string?)e!["name"] == model)!;
        Assert.Equal("UNAVAILABLE", (string?)entry["state"]);
        Assert.Contains(reason, (string?)entry["reason"], StringComparison.Ordinal);
        Assert.Contains("tensors of the protocol's datatypes", (string?)entry["reason"], StringComparison.Ordinal);
        (await table.Server.Client.PostAsync($"/v2/models/{model}/infer", """{"inputs":[]}""")).MustBe(503, "model_not_ready");
    }

    [Fact]
    public void Given_the_folder_of_models_When_read_Then_each_that_is_not_served_has_a_reason_above() =>
        Assert.Equal(["unserved_float8", "unserved_map", "unserved_optional", "unserved_sequence"], ModelTable.UnservedNames);

    [Fact]
    public async Task Given_an_input_with_a_default_When_sent_Then_400_and_without_it_the_default_is_used()
    {
        var client = table.Server.Client;
        object number = Bodies.Tensor("IN", "FP32", [1, 2], new[] { 1, 1 }), factor = Bodies.Tensor("FACTOR", "FP32", [2], new[] { 7, 7 });

        var metadata = (await client.FetchAsync("/v2/models/default_input")).MustBe(200).Json;
        Assert.Equal(["IN"], metadata["inputs"]!.AsArray().Select(i => (string?)i!["name"]));
        Assert.Equal([3f, 5f], (await client.PostAsync("/v2/models/default_input/infer", Bodies.Infer(number))).MustBe(200).Json["outputs"]![0]!["data"]!.AsArray().Select(v => (float)v!));
        Assert.Contains("FACTOR", (string?)(await client.PostAsync("/v2/models/default_input/infer", Bodies.Infer(number, factor))).MustBe(400, "invalid_tensor").Json["error"], StringComparison.Ordinal);
    }
}
