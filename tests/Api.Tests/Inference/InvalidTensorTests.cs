using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Tensors that do not fit the model, also those that someone made to hurt.</summary>
public sealed class InvalidTensorTests(ServerFixture fixture)
{
    [Theory]
    [Attack(14)]
    [Conformance(9)]
    [InlineData("[2,4]", "[1,2,3,4,5,6,7]")]
    [InlineData("[2,4]", "[1,2,3,4,5,6,7,8,9]")]
    [InlineData("[2,4]", "[]")]
    [InlineData("[0,4]", "[1]")]
    [InlineData("[2,4]", "[[1,2,3,4],[5,6,7]]")]
    [InlineData("[2,4]", "[[1,2,3],[4,5,6,7,8]]")]
    [InlineData("[2,4]", "[1,2,3,4,[5,6,7,8]]")]
    [InlineData("[2,4]", "[[1,2,3,4],5,6,7,8]")]
    [InlineData("[2,4]", "[[[1,2],[3,4]],[5,6,7,8]]")]
    [InlineData("[-1,4]", "[1,2,3,4]")]
    [InlineData("[2,3]", "[1,2,3,4,5,6]")]
    [InlineData("[4]", "[1,2,3,4]")]
    [InlineData("[1,1,4]", "[1,2,3,4]")]
    [InlineData("[]", "[1]")]
    [InlineData("[1.5,4]", "[1,2,3,4,5,6]")]
    [InlineData("[\"1\",4]", "[1,2,3,4]")]
    [InlineData("[null,4]", "[1,2,3,4]")]
    [InlineData("[[1],4]", "[1,2,3,4]")]
    public async Task Given_elements_or_a_shape_that_do_not_fit_When_inferred_Then_400_names_the_tensor(string shape, string data)
    {
        var answer = await fixture.Client.InferTextAsync("pair", Pair($$"""{"name":"A","datatype":"FP32","shape":{{shape}},"data":{{data}}}"""));

        Assert.Contains("Input A", (string?)answer.MustBe(400, "invalid_tensor").Json["error"], StringComparison.Ordinal);
    }

    [Theory]
    [Attack(14, 21)]
    [Conformance(11)]
    [InlineData("[65536,65536,65536,65536]")]
    [InlineData("[4294967296]")]
    [InlineData("[4294967296,4294967296]")]
    [InlineData("[3037000500,3037000500]")]
    [InlineData("[9223372036854775807,2]")]
    [InlineData("[9223372036854775808,1]")]
    [InlineData("[9223372036854775807,0]")]
    [InlineData("[99999999999999999999999999,1]")]
    [InlineData("[1000000000,1000000]")]
    [InlineData("[-9223372036854775808,1]")]
    [InlineData("[-1,-1]")]
    [InlineData("[1e3,1]")]
    [InlineData("[1000.0,1]")]
    public async Task Given_a_forged_shape_When_inferred_Then_400_and_nothing_of_that_size_is_allocated(string shape)
    {
        var before = GC.GetTotalAllocatedBytes();

        (await fixture.Client.InferTextAsync("wide", Calls.In("FP32", shape, "[]"))).MustBe(400, "invalid_tensor");
        (await fixture.Client.InferTextAsync("wide", Calls.In("FP32", shape, "[1]"))).MustBe(400, "invalid_tensor");

        Assert.True(GC.GetTotalAllocatedBytes() - before < 1L << 30, "More than a gigabyte was allocated.");
    }

    [Theory]
    [Attack(14)]
    [Conformance(9)]
    [InlineData("pair")]
    [InlineData("wide")]
    [InlineData("scalar")]
    public async Task Given_a_thousand_dimensions_When_inferred_Then_400(string model)
    {
        var shape = $"[{string.Join(',', Enumerable.Repeat(1, 1000))}]";

        (await fixture.Client.InferTextAsync(model, Calls.In("FP32", shape, "[1]"))).MustBe(400, "invalid_tensor");
    }

    [Theory]
    [Conformance(9)]
    [InlineData("ident_fp32", "FP32", "[1]", "[1]", "[1000000]")]
    [InlineData("ident_fp32", "FP32", "[1]", "[1]", "[2]")]
    [InlineData("ident_fp32", "FP32", "[2]", "[1,2]", "[1]")]
    [InlineData("str", "BYTES", "[1]", "[\"a\"]", "[2]")]
    [InlineData("str", "BYTES", "[2]", "[\"a\",\"b\"]", "[1]")]
    public async Task Given_a_second_shape_after_the_data_When_inferred_Then_it_does_not_undo_the_check_of_the_first(
        string model, string datatype, string shape, string data, string again)
    {
        var json = $$"""{"inputs":[{"name":"IN","datatype":"{{datatype}}","shape":{{shape}},"data":{{data}},"shape":{{again}}}]}""";

        (await fixture.Client.InferTextAsync(model, json)).MustBe(400);
    }

    [Theory]
    [Conformance(10)]
    [InlineData("""{"inputs":[{"name":"A","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}]}""", "B")]
    [InlineData("""{"inputs":[]}""", "A")]
    [InlineData("{\"inputs\":[@A,@B,{\"name\":\"C\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1]}]}", "C")]
    [InlineData("""{"inputs":[@A,@A]}""", "A")]
    [InlineData("""{"inputs":[@A,@B,@B]}""", "B")]
    [InlineData("{\"inputs\":[@A,{\"name\":\"B\",\"datatype\":\"FP64\",\"shape\":[1,4],\"data\":[1,2,3,4]}]}", "B")]
    [InlineData("{\"inputs\":[@A,{\"name\":\"B\",\"datatype\":\"fp32\",\"shape\":[1,4],\"data\":[1,2,3,4]}]}", "B")]
    [InlineData("{\"inputs\":[@A,{\"name\":\"B\",\"datatype\":\"FLOAT\",\"shape\":[1,4],\"data\":[1,2,3,4]}]}", "B")]
    [InlineData("{\"inputs\":[@A,{\"name\":\"B\",\"shape\":[1,4],\"data\":[1,2,3,4]}]}", "B")]
    [InlineData("{\"inputs\":[@A,{\"name\":\"B\",\"datatype\":\"FP32\",\"data\":[1,2,3,4]}]}", "B")]
    [InlineData("{\"inputs\":[@A,{\"name\":\"B\",\"datatype\":\"FP32\",\"shape\":[1,4]}]}", "B")]
    [InlineData("{\"inputs\":[@B,{\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[1,4],\"data\":[1,2,3,4]}]}", "a")]
    public async Task Given_an_input_that_is_missing_unknown_repeated_or_of_another_datatype_When_inferred_Then_400_names_it(string json, string name)
    {
        var answer = await fixture.Client.InferTextAsync("pair", json
            .Replace("@A", """{"name":"A","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}""", StringComparison.Ordinal)
            .Replace("@B", """{"name":"B","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}""", StringComparison.Ordinal));

        Assert.Matches($@"\b{name}\b", (string?)answer.MustBe(400, "invalid_tensor").Json["error"]);
    }

    [Fact]
    [Conformance(10)]
    public async Task Given_an_input_without_a_name_When_inferred_Then_400() =>
        (await fixture.Client.InferTextAsync("pair", Pair("""{"datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}"""))).MustBe(400, "invalid_tensor");

    [Theory]
    [Attack(15)]
    [Conformance(9)]
    [InlineData("[1,4]", "[1,null,3,4]")]
    [InlineData("[1,4]", "[1,{},3,4]")]
    [InlineData("[1,4]", "[1,\"2\",3,4]")]
    [InlineData("[1,4]", "[1,true,3,4]")]
    [InlineData("[1,4]", "null")]
    [InlineData("[1,4]", "{}")]
    [InlineData("[1,4]", "\"1234\"")]
    [InlineData("[1,4]", "[1e39,2,3,4]")]
    [InlineData("[1,4]", "[-1e39,2,3,4]")]
    [InlineData("[1,4]", "[1e400,2,3,4]")]
    public async Task Given_a_value_that_is_no_FP32_When_inferred_Then_400(string shape, string data)
    {
        var answer = await fixture.Client.InferTextAsync("pair", Pair($$"""{"name":"A","datatype":"FP32","shape":{{shape}},"data":{{data}}}"""));

        answer.MustBe(400, "invalid_tensor");
    }

    private static string Pair(string first) => $$"""{"inputs":[{{first}},{"name":"B","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}]}""";
}
