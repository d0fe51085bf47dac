using System.Text;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>The highest values of an output instead of all of them.</summary>
public sealed class ClassificationTests(ServerFixture fixture)
{
    private static string Asking(int classes, string more = "") => $$$"""
        {"inputs":[{"name":"A","datatype":"FP32","shape":[2,4],"data":[1,9,3,7, 5,5,6,0.5]},{"name":"B","datatype":"FP32","shape":[2,4],"data":[0,0,0,0, 0,0,0,0]}],
         "outputs":[{"name":"SUM","parameters":{"classification":{{{classes}}}{{{more}}}}},{"name":"DIFF"}]}
        """;

    [Theory]
    [Conformance(28)]
    [InlineData(1, "9:1", "6:2")]
    [InlineData(2, "9:1", "7:3", "6:2", "5:0")] // of equals the first
    [InlineData(4, "9:1", "7:3", "3:2", "1:0", "6:2", "5:0", "5:1", "0.5:3")]
    [InlineData(5, "9:1", "7:3", "3:2", "1:0", "6:2", "5:0", "5:1", "0.5:3")]
    [InlineData(int.MaxValue, "9:1", "7:3", "3:2", "1:0", "6:2", "5:0", "5:1", "0.5:3")]
    public async Task Given_a_number_of_classes_When_asked_for_Then_each_row_has_its_highest_values_and_the_other_output_is_as_it_was(int classes, params string[] expected)
    {
        var answer = (await fixture.Client.InferTextAsync("pair", Asking(classes))).MustBe(200);

        Assert.Equal("BYTES", (string?)answer.Output("SUM")["datatype"]);
        Assert.Equal([2, Math.Min(classes, 4)], answer.Shape("SUM"));
        answer.MustGive("SUM", expected);
        answer.MustGive<float>("DIFF", 1, 9, 3, 7, 5, 5, 6, 0.5f);
    }

    [Fact]
    [Conformance(28)]
    public async Task Given_classes_When_asked_for_in_binary_by_a_Triton_client_Then_they_come_with_their_lengths()
    {
        var input = TritonInput.Binary("IN", "FP32", [4], Framing.Floats(1, 9, 3, 7));

        var result = await new TritonClient(fixture.Client).InferAsync("ident_fp32", [input], [new TritonOutput("OUT", Classes: 2)]);

        Assert.Equal(("BYTES", "[2]"), ((string?)result.Output("OUT")["datatype"], result.Output("OUT")["shape"]!.ToJsonString()));
        Assert.Equal(Framing.Strings("9:1"u8.ToArray(), "7:3"u8.ToArray()), result.Raw("OUT"));
    }

    [Fact]
    [Conformance(28)]
    public async Task Given_classes_of_values_that_JSON_can_not_say_When_asked_for_as_JSON_Then_they_are_text()
    {
        var halves = new[] { (Half)1, (Half)2.5, (Half)(-3) }.SelectMany(BitConverter.GetBytes).ToArray();
        const string Two = ""","outputs":[{"name":"OUT","parameters":{"classification":2}}]""";

        (await fixture.Client.InferFramedAsync("ident_fp16", Framing.In("FP16", "[3]", 6, Two), halves)).MustBe(200).MustGive("OUT", "2.5:1", "1:0");
    }

    [Fact]
    [Conformance(28)]
    public async Task Given_classes_in_a_job_When_its_result_is_read_Then_it_equals_the_sync_answer()
    {
        var sync = (await fixture.Client.InferTextAsync("pair", Asking(2, ",\"binary_data\":true"))).MustBe(200);

        var accepted = (await fixture.Client.InferTextAsync("pair", Asking(2, ",\"binary_data\":true"), ("Prefer", "respond-async, wait=30"))).MustBe(200);

        var result = await fixture.Client.FetchAsync($"{accepted.Header("Location")}/result");
        var (split, expected) = (await result.SplitAsync(), await sync.SplitAsync());
        Assert.Equal(expected.Tensors["SUM"], split.Tensors["SUM"]);
        Assert.Equal(Framing.Strings(((string[])["9:1", "7:3", "6:2", "5:0"]).Select(Encoding.UTF8.GetBytes).ToArray()), split.Tensors["SUM"]);
    }
}
