using System.Text.Json;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Any tensor of any datatype and shape: in JSON or in binary, in and out, it is the same tensor. MILLRACE_PROPERTY_SEED repeats a run.</summary>
public sealed class BinaryPropertyTests(ServerFixture fixture, ITestOutputHelper output)
{
    private const int Count = 300;

    /// <summary>Models with one input IN that they give back, with shapes where -1 is open; for those that JSON can't say, JSON is left out.</summary>
    private static readonly (string Model, string Datatype, long[] Shape)[] Echoes =
    [
        ("ident_bool", "BOOL", [-1]), ("ident_int8", "INT8", [-1]), ("ident_int16", "INT16", [-1]), ("ident_int32", "INT32", [-1]), ("ident_int64", "INT64", [-1]), ("ident_uint8", "UINT8", [-1]),
        ("ident_uint16", "UINT16", [-1]), ("ident_uint32", "UINT32", [-1]), ("ident_uint64", "UINT64", [-1]), ("ident_fp32", "FP32", [-1]), ("ident_fp64", "FP64", [-1]), ("str", "BYTES", [-1]),
        ("ident_fp16", "FP16", [-1]), ("ident_bf16", "BF16", [-1]),
    ];

    /// <summary>Models that compute: any two ways of asking must agree.</summary>
    private static readonly (string Model, string Output, long[] Shape)[] Others = [("scalar", "OUT", []), ("fixed", "OUT", [2, 3]), ("wide", "SUM", [-1, -1]), ("rows", "SUM", [-1, 4])];

    [Fact]
    [Conformance(12, 13, 15, 16)]
    public async Task Given_any_tensor_When_echoed_in_either_form_Then_it_is_the_same_tensor()
    {
        var random = Begin();
        var client = new TritonClient(fixture.Client);
        for (var at = 0; at < Count; at++)
        {
            var (model, datatype, open) = Echoes[at % Echoes.Length];
            var shape = Shape(random, open);
            var raw = Elements.Random(random, datatype, shape.Aggregate(1L, (a, b) => a * b));
            var inJson = datatype is "FP16" or "BF16" ? null : TritonInput.Json("IN", datatype, shape, Elements.ToJson(datatype, raw));
            foreach (var input in new[] { TritonInput.Binary("IN", datatype, shape, raw), inJson }.OfType<TritonInput>())
            {
                foreach (var binary in (bool[])(inJson is null ? [true] : [true, false]))
                {
                    var result = await client.InferAsync(model, [input], [new TritonOutput("OUT", binary)]);
                    Assert.True(raw.AsSpan().SequenceEqual(result.Raw("OUT")), $"{at}: {datatype} {Convert.ToHexString(raw)} came back as {Convert.ToHexString(result.Raw("OUT"))}");
                    Assert.Equal(JsonSerializer.Serialize(shape), result.Output("OUT")["shape"]!.ToJsonString());
                }
            }
        }
    }

    [Fact]
    [Conformance(15, 16)]
    public async Task Given_any_shape_When_computed_in_either_form_Then_the_results_are_bit_for_bit_equal()
    {
        var random = Begin();
        var client = new TritonClient(fixture.Client);
        for (var at = 0; at < Count; at++)
        {
            var (model, name, open) = Others[at % Others.Length];
            var shape = Shape(random, open);
            var raw = Framing.Floats(Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => (float)(random.NextDouble() - 0.5) * 1e6f).ToArray()); // sums that are not exact: their order must not differ from call to call
            var inJson = TritonInput.Json("IN", "FP32", shape, Elements.ToJson("FP32", raw));
            var plain = await client.InferAsync(model, [inJson], [new TritonOutput(name, Binary: false)]);
            var binary = await client.InferAsync(model, [TritonInput.Binary("IN", "FP32", shape, raw)]);
            Assert.Equal(plain.Raw(name), binary.Raw(name));
            Assert.Equal(plain.Output(name)["shape"]!.ToJsonString(), binary.Output(name)["shape"]!.ToJsonString());
        }
    }

    private Random Begin()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("MILLRACE_PROPERTY_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"MILLRACE_PROPERTY_SEED={seed}");
        return new Random(seed);
    }

    /// <summary>An open dimension is 0 now and then.</summary>
    private static long[] Shape(Random random, long[] open) => open.Select(d => d >= 0 ? d : random.Next(6) == 0 ? 0 : random.Next(1, 12)).ToArray();
}
