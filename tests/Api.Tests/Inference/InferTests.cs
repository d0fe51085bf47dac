using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>The plain way of a request: names, order, shape and id of what comes back.</summary>
public sealed class InferTests(ServerFixture fixture)
{
    private static readonly float[] A = [1, 2, 3, 4, 5, 6, 7, 8];
    private static readonly float[] B = [10, 20, 30, 40, 50, 60, 70, 80];

    [Fact]
    [Conformance(6)]
    public async Task Given_flat_data_and_an_id_When_inferred_Then_all_outputs_come_flat_with_that_id()
    {
        var answer = (await fixture.Client.InferAsync("pair", new
        {
            id = "42",
            inputs = new[] { Bodies.Tensor("A", "FP32", [2, 4], A), Bodies.Tensor("B", "FP32", [2, 4], B) },
        })).MustBe(200);

        Assert.Equal("application/json", answer.Message.Content.Headers.ContentType!.MediaType);
        Assert.Equal("42", (string?)answer.Json["id"]);
        Assert.Equal("pair", (string?)answer.Json["model_name"]);
        Assert.Equal("1", (string?)answer.Json["model_version"]);
        Assert.Equal(["SUM", "DIFF"], answer.OutputNames());
        Assert.Equal("FP32", (string?)answer.Output("SUM")["datatype"]);
        Assert.Equal([2, 4], answer.Shape("SUM"));
        Assert.Equal([11, 22, 33, 44, 55, 66, 77, 88], answer.Data<float>("SUM"));
        Assert.Equal([-9, -18, -27, -36, -45, -54, -63, -72], answer.Data<float>("DIFF"));
    }

    [Fact]
    [Conformance(7)]
    public async Task Given_nested_data_and_no_id_When_inferred_Then_the_values_are_the_same_and_there_is_no_id_member()
    {
        var answer = (await fixture.Client.InferAsync("pair", Bodies.Infer(
            Bodies.Tensor("A", "FP32", [2, 4], new[] { A[..4], A[4..] }), Bodies.Tensor("B", "FP32", [2, 4], new[] { B[..4], B[4..] })))).MustBe(200);

        Assert.Equal([11, 22, 33, 44, 55, 66, 77, 88], answer.Data<float>("SUM"));
        Assert.False(answer.Json.AsObject().ContainsKey("id"));
    }

    [Fact]
    [Conformance(6)]
    public async Task Given_inputs_in_the_other_order_When_inferred_Then_each_goes_where_its_name_says()
    {
        var answer = (await fixture.Client.InferAsync("pair", Bodies.Infer(
            Bodies.Tensor("B", "FP32", [2, 4], B), Bodies.Tensor("A", "FP32", [2, 4], A)))).MustBe(200);

        Assert.Equal([-9, -18, -27, -36, -45, -54, -63, -72], answer.Data<float>("DIFF"));
    }

    [Theory]
    [Conformance(6)]
    [InlineData("")]
    [InlineData("\U0001F980 crab \U00010348")]
    [InlineData("quotes \" and \\ and \u0000 and \n and </script>")]
    public async Task Given_any_text_as_id_When_inferred_Then_it_comes_back_unchanged(string id)
    {
        var inputs = new[] { Bodies.Tensor("IN", "FP32", [1], new[] { 1 }) };

        var answer = (await fixture.Client.InferAsync("ident_fp32", new { id, inputs })).MustBe(200);

        Assert.Equal(id, (string?)answer.Json["id"]);
    }

    [Theory]
    [Conformance(8)]
    [InlineData("""[{"name":"DIFF"}]""", "DIFF")]
    [InlineData("""[{"name":"SUM"}]""", "SUM")]
    [InlineData("""[{"name":"DIFF"},{"name":"SUM"}]""", "DIFF,SUM")]
    [InlineData("""[{"name":"SUM"},{"name":"DIFF"}]""", "SUM,DIFF")]
    [InlineData("[]", "SUM,DIFF")]
    public async Task Given_a_list_of_outputs_When_inferred_Then_they_come_in_that_order_and_no_others(string outputs, string expected)
    {
        var answer = (await fixture.Client.InferTextAsync("pair", PairAsking(outputs))).MustBe(200);

        Assert.Equal(expected, string.Join(',', answer.OutputNames()));
        if (answer.OutputNames().Contains("DIFF"))
            Assert.Equal([3, 1, -1, -3], answer.Data<float>("DIFF"));
    }

    [Theory]
    [Attack(20)]
    [Conformance(8)]
    [InlineData("""[{"name":"X"}]""", "invalid_tensor")]
    [InlineData("""[{"name":"DIFF"},{"name":"X"}]""", "invalid_tensor")]
    [InlineData("""[{"name":"A"}]""", "invalid_tensor")]
    [InlineData("""[{"name":"sum"}]""", "invalid_tensor")]
    [InlineData("[{}]", "invalid_request")]
    [InlineData("""["SUM"]""", "invalid_request")]
    [InlineData("""{"name":"SUM"}""", "invalid_request")]
    public async Task Given_an_output_that_the_model_has_not_When_inferred_Then_400(string outputs, string code) =>
        (await fixture.Client.InferTextAsync("pair", PairAsking(outputs))).MustBe(400, code);

    [Fact]
    [Conformance(11)]
    public async Task Given_no_rows_When_inferred_Then_the_outputs_are_empty()
    {
        var answer = (await fixture.Client.InferAsync("pair", Bodies.Infer(
            Bodies.Tensor("A", "FP32", [0, 4], Array.Empty<float>()), Bodies.Tensor("B", "FP32", [0, 4], Array.Empty<float>())))).MustBe(200);

        foreach (var output in (string[])["SUM", "DIFF"])
        {
            Assert.Equal([0, 4], answer.Shape(output));
            Assert.Empty(answer.Data<float>(output));
        }
    }

    [Fact]
    [Conformance(4)]
    public async Task Given_a_model_of_two_versions_When_inferred_Then_the_path_decides_and_the_newest_is_the_default()
    {
        foreach (var (path, version, result) in new[] { ("stepper", "2", 12f), ("stepper/versions/1", "1", 11f), ("stepper/versions/2", "2", 12f) })
        {
            var answer = (await fixture.Client.InferAsync(path, Bodies.In("FP32", 10))).MustBe(200);
            Assert.Equal(version, (string?)answer.Json["model_version"]);
            Assert.Equal([result], answer.Data<float>("OUT"));
        }
    }

    private static string PairAsking(string outputs) => $$"""
        {"inputs":[{"name":"A","datatype":"FP32","shape":[1,4],"data":[4,3,2,1]},{"name":"B","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}],
         "outputs":{{outputs}}}
        """;
}
