using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>Triton's ModelConfig, from what the workers announced.</summary>
public sealed class ModelConfigurationTests(ServerFixture fixture)
{
    [Theory]
    [InlineData("/v2/models/pair/config")]
    [InlineData("/v2/models/pair/versions/1/config")]
    public async Task Given_a_batched_model_When_its_configuration_is_read_Then_dims_have_no_batch_and_batching_is_told(string path)
    {
        var json = (await fixture.Client.FetchAsync(path)).MustBe(200).Json;

        Assert.Equal(("pair", "onnxruntime_onnx", "onnxruntime", 64), ((string?)json["name"], (string?)json["platform"], (string?)json["backend"], (int)json["max_batch_size"]!));
        Assert.Equal("""[{"name":"A","data_type":"TYPE_FP32","dims":[4]},{"name":"B","data_type":"TYPE_FP32","dims":[4]}]""", json["input"]!.ToJsonString());
        Assert.Equal("""[{"name":"SUM","data_type":"TYPE_FP32","dims":[4]},{"name":"DIFF","data_type":"TYPE_FP32","dims":[4]}]""", json["output"]!.ToJsonString());
        Assert.Equal("""{"all":{}}""", json["version_policy"]!.ToJsonString());
        Assert.Equal("""{"preferred_batch_size":[],"max_queue_delay_microseconds":0,"priority_levels":9,"default_priority_level":5}""", json["dynamic_batching"]!.ToJsonString());
        Assert.Equal($$"""[{"name":"pair","kind":"KIND_CPU","count":{{Math.Min(Environment.ProcessorCount, 4)}}}]""", json["instance_group"]!.ToJsonString());
        Assert.Equal("1", (string?)json["parameters"]!["intra_op_thread_count"]!["string_value"]);
    }

    [Fact]
    public async Task Given_a_model_of_fixed_shape_When_its_configuration_is_read_Then_it_is_not_batched_and_dims_are_whole()
    {
        var json = (await fixture.Client.FetchAsync("/v2/models/fixed/config")).MustBe(200).Json;
        Assert.Equal(0, (int)json["max_batch_size"]!);
        Assert.Equal("""[{"name":"IN","data_type":"TYPE_FP32","dims":[2,3]}]""", json["input"]!.ToJsonString());
        Assert.Null(json["dynamic_batching"]);
    }

    [Theory]
    [InlineData("str", """[{"name":"IN","data_type":"TYPE_STRING","dims":[1],"reshape":{"shape":[]}}]""")]
    [InlineData("scalar", """[{"name":"IN","data_type":"TYPE_FP32","dims":[1],"reshape":{"shape":[]}}]""")]
    [InlineData("wide", """[{"name":"IN","data_type":"TYPE_FP32","dims":[-1]}]""")]
    [InlineData("sleep", """[{"name":"IN","data_type":"TYPE_INT32","dims":[-1]}]""")]
    [InlineData("ident_bf16", """[{"name":"IN","data_type":"TYPE_BF16","dims":[1],"reshape":{"shape":[]}}]""")]
    [InlineData("ident_bool", """[{"name":"IN","data_type":"TYPE_BOOL","dims":[1],"reshape":{"shape":[]}}]""")]
    public async Task Given_a_datatype_and_shape_When_the_configuration_is_read_Then_they_are_named_as_Triton_does(string model, string input) =>
        Assert.Equal(input, (await fixture.Client.FetchAsync($"/v2/models/{model}/config")).MustBe(200).Json["input"]!.ToJsonString());

    [Theory]
    [InlineData("/v2/models/nope/config", 404, "model_not_found")]
    [InlineData("/v2/models/pair/versions/9/config", 404, "model_not_found")]
    [InlineData("/v2/models/cold/config", 503, "model_not_ready")]
    public async Task Given_a_model_that_is_not_there_or_never_loaded_When_read_Then_404_or_503(string path, int status, string code) =>
        (await fixture.Client.FetchAsync(path)).MustBe(status, code);
}
