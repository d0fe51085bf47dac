using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Millrace.Api.Grpc.Protos;
using Millrace.Tests.Support;
using static Millrace.Api.Grpc.Protos.ModelInferRequest.Types;
using static Millrace.Api.Tests.Grpc.Messages;

namespace Millrace.Api.Tests.Grpc;

/// <summary>Tensors in both forms, there and back.</summary>
public sealed class ModelInferTests(ServerFixture fixture) : IDisposable
{
    private static readonly float[] A = [1, 2, 3, 4, 5, 6, 7, 8];
    private static readonly float[] B = [10, 20, 30, 40, 50, 60, 70, 80];

    private readonly GrpcClient _client = new(fixture.Server);

    public void Dispose() => _client.Dispose();

    [Fact]
    [Conformance(39)]
    public async Task Given_the_same_tensors_typed_and_raw_When_run_Then_the_values_are_equal_and_each_answer_has_the_form_of_its_request()
    {
        var typed = await _client.Infer(Request("pair", Input("A", "FP32", 2, 4).With(c => c.Fp32Contents.Add(A)), Input("B", "FP32", 2, 4).With(c => c.Fp32Contents.Add(B))));
        var request = Request("pair", Input("B", "FP32", 2, 4), Input("A", "FP32", 2, 4)).Raw(Bytes(B), Bytes(A)); // raw follow the inputs, not the model
        request.Id = "42";
        var raw = await _client.Infer(request);

        Assert.Empty(typed.RawOutputContents);
        Assert.Equal(["SUM FP32 2,4", "DIFF FP32 2,4"], typed.Outputs.Select(o => $"{o.Name} {o.Datatype} {string.Join(",", o.Shape)}"));
        Assert.Equal(A.Zip(B, (a, b) => a + b), typed.Outputs[0].Contents.Fp32Contents);
        Assert.All(raw.Outputs, o => Assert.Null(o.Contents));
        for (var at = 0; at < 2; at++)
            Assert.Equal(Bytes(typed.Outputs[at].Contents.Fp32Contents.ToArray()), raw.RawOutputContents[at].ToByteArray());
        Assert.Equal(("pair", "1", "42"), (raw.ModelName, raw.ModelVersion, raw.Id));
        Assert.Equal("", typed.Id);
    }

    [Theory]
    [Conformance(39)]
    [InlineData("bool"), InlineData("int8"), InlineData("int16"), InlineData("int32"), InlineData("int64"), InlineData("uint8"), InlineData("uint16"), InlineData("uint32"), InlineData("uint64"), InlineData("fp32"), InlineData("fp64")]
    public async Task Given_the_far_ends_of_a_datatype_When_sent_typed_and_raw_Then_they_come_back_as_they_were(string datatype)
    {
        var (contents, bytes) = Ends(datatype);
        var count = bytes.Length / Size(datatype);
        var typed = await _client.Infer(Request($"ident_{datatype}", new InferInputTensor { Name = "IN", Datatype = datatype.ToUpperInvariant(), Shape = { count }, Contents = contents }));
        var raw = await _client.Infer(Request($"ident_{datatype}", Input("IN", datatype.ToUpperInvariant(), count)).Raw(bytes));
        Assert.Equal(contents, Assert.Single(typed.Outputs).Contents);
        Assert.Equal(bytes, Assert.Single(raw.RawOutputContents).ToByteArray());
    }

    [Fact]
    [Conformance(42)]
    public async Task Given_sixteen_bit_floats_When_sent_in_contents_Then_invalid_and_raw_they_come_back_bit_by_bit()
    {
        byte[] bits = [0x00, 0x3C, 0x01, 0x7E, 0x00, 0xFC];
        foreach (var datatype in (string[])["FP16", "BF16"])
        {
            var model = $"ident_{datatype.ToLowerInvariant()}";
            var failure = await _client.Infer(Request(model, Input("IN", datatype, 1).With(c => c.Fp32Contents.Add(1)))).MustFailAsync(StatusCode.InvalidArgument, "invalid_tensor");
            Assert.Contains("raw_input_contents", failure.Status.Detail, StringComparison.Ordinal);
            var answer = await _client.Infer(Request(model, Input("IN", datatype, 3)).Raw(bits));
            Assert.Equal(bits, Assert.Single(answer.RawOutputContents).ToByteArray());
        }
    }

    [Fact]
    [Conformance(42)]
    public async Task Given_bytes_without_a_length_in_contents_and_with_one_raw_When_sent_Then_they_are_the_same()
    {
        byte[][] elements = [[], [0x00, 0xFF], Encoding.UTF8.GetBytes("ä"), new byte[300]];
        var framed = elements.SelectMany(e => (byte[])[.. BitConverter.GetBytes((uint)e.Length), .. e]).ToArray();

        var typed = await _client.Infer(Request("str", Input("IN", "BYTES", 4).With(c => c.BytesContents.Add(elements.Select(e => ByteString.CopyFrom(e))))));
        var raw = await _client.Infer(Request("str", Input("IN", "BYTES", 4)).Raw(framed));

        Assert.Equal(elements, typed.Outputs[0].Contents.BytesContents.Select(b => b.ToByteArray()));
        Assert.Equal(framed, raw.RawOutputContents[0].ToByteArray());
    }

    [Fact]
    [Conformance(40)]
    public async Task Given_raw_and_contents_together_When_sent_Then_invalid_argument()
    {
        var both = Request("pair", Input("A", "FP32", 2, 4), Input("B", "FP32", 2, 4).With(c => c.Fp32Contents.Add(B))).Raw(Bytes(A), Bytes(B));
        Assert.Contains("Input B", (await _client.Infer(both).MustFailAsync(StatusCode.InvalidArgument, "invalid_tensor")).Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    [Conformance(40)]
    public async Task Given_fewer_or_more_raw_tensors_than_inputs_When_sent_Then_invalid_argument()
    {
        await _client.Infer(Request("pair", Input("A", "FP32", 2, 4), Input("B", "FP32", 2, 4)).Raw(Bytes(A))).MustFailAsync(StatusCode.InvalidArgument, "invalid_tensor");
        await _client.Infer(Request("pair", Input("A", "FP32", 2, 4), Input("B", "FP32", 2, 4)).Raw(Bytes(A), Bytes(B), Bytes(B))).MustFailAsync(StatusCode.InvalidArgument, "invalid_tensor");
    }

    public static TheoryData<string, string, long[], byte[]> WrongSizes => new()
    {
        { "ident_fp32", "FP32", [2], new byte[7] },
        { "ident_fp32", "FP32", [2], new byte[12] },
        { "ident_fp32", "FP32", [2], [] },
        { "ident_fp32", "FP32", [1L << 62], new byte[8] },
        { "ident_fp32", "FP32", [-1], new byte[4] },
        { "ident_bool", "BOOL", [2], [1, 2] },
        { "str", "BYTES", [1], [9, 0, 0, 0, 1] },
        { "str", "BYTES", [2], [0, 0, 0, 0] },
        { "str", "BYTES", [1], [0, 0, 0, 0, 0] },
    };

    [Theory]
    [Conformance(40)]
    [MemberData(nameof(WrongSizes))]
    public async Task Given_raw_bytes_that_are_not_what_the_shape_takes_When_sent_Then_invalid_argument_that_names_the_input(string model, string datatype, long[] shape, byte[] bytes)
    {
        var failure = await _client.Infer(Request(model, Input("IN", datatype, shape)).Raw(bytes)).MustFailAsync(StatusCode.InvalidArgument, "invalid_tensor");
        Assert.Contains("Input IN", failure.Status.Detail, StringComparison.Ordinal);
    }

    public static TheoryData<string> Wrongs => [.. WrongRequests.Keys];

    private static readonly Dictionary<string, (Func<ModelInferRequest> Request, string Code, string Said)> WrongRequests = new()
    {
        ["too few elements"] = (() => Request("ident_fp32", Input("IN", "FP32", 2).With(c => c.Fp32Contents.Add(1))), "invalid_tensor", "2 elements"),
        ["another list"] = (() => Request("ident_fp32", Input("IN", "FP32", 1).With(c => c.Fp64Contents.Add(1))), "invalid_tensor", "fp32_contents"),
        ["two lists"] = (() => Request("ident_fp32", Input("IN", "FP32", 1).With(c => { c.Fp32Contents.Add(1); c.IntContents.Add(1); })), "invalid_tensor", "fp32_contents"),
        ["no contents"] = (() => Request("ident_fp32", Input("IN", "FP32", 1)), "invalid_tensor", "1 elements"),
        ["300 for UINT8"] = (() => Request("ident_uint8", Input("IN", "UINT8", 1).With(c => c.UintContents.Add(300))), "invalid_tensor", "from 0 to 255"),
        ["-129 for INT8"] = (() => Request("ident_int8", Input("IN", "INT8", 1).With(c => c.IntContents.Add(-129))), "invalid_tensor", "from -128 to 127"),
        ["65536 for UINT16"] = (() => Request("ident_uint16", Input("IN", "UINT16", 1).With(c => c.UintContents.Add(65536))), "invalid_tensor", "65535"),
        ["another datatype"] = (() => RawIn("ident_fp32", "INT32", 1), "invalid_tensor", "INT32"),
        ["another rank"] = (() => Request("pair", Input("A", "FP32", 4).With(c => c.Fp32Contents.Add(A[..4])), Input("B", "FP32", 1, 4)), "invalid_tensor", "[4]"),
        ["a missing input"] = (() => Request("pair", Input("A", "FP32", 2, 4).With(c => c.Fp32Contents.Add(A))), "invalid_tensor", "Input B is missing"),
        ["an input twice"] = (() => Request("ident_fp32", Input("IN", "FP32", 1), Input("IN", "FP32", 1)).Raw(new byte[4], new byte[4]), "invalid_tensor", "twice"),
        ["an unknown input"] = (() => Request("ident_fp32", Input("X", "FP32", 1)).Raw(new byte[4]), "invalid_tensor", "no input X"),
        ["a nameless input"] = (() => Request("ident_fp32", Input("", "FP32", 1)).Raw(new byte[4]), "invalid_tensor", "no name"),
        ["an unknown output"] = (() => Asking("X"), "invalid_tensor", "no output X"),
        ["an output twice"] = (() => Asking("OUT", "OUT"), "invalid_tensor", "twice"),
        ["a reserved parameter"] = (() => With("triton_x", new InferParameter { BoolParam = true }), "invalid_request", "triton_"),
        ["a parameter of no value"] = (() => With("x", new InferParameter()), "invalid_request", "value"),
        ["a priority in words"] = (() => With("priority", new InferParameter { StringParam = "1" }), "invalid_request", "priority"),
        ["a negative timeout"] = (() => With("timeout", new InferParameter { Int64Param = -1 }), "invalid_request", "timeout"),
    };

    [Theory]
    [MemberData(nameof(Wrongs))]
    public async Task Given_a_request_that_does_not_fit_the_model_When_sent_Then_invalid_argument_says_what_would_be_right(string what)
    {
        var (request, code, said) = WrongRequests[what];
        var failure = await _client.Infer(request()).MustFailAsync(StatusCode.InvalidArgument, code);
        Assert.Contains(said, failure.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_outputs_by_name_When_asked_Then_those_in_that_order()
    {
        var request = Request("pair", Input("A", "FP32", 2, 4), Input("B", "FP32", 2, 4)).Raw(Bytes(A), Bytes(B));
        request.Outputs.Add([new InferRequestedOutputTensor { Name = "DIFF" }, new InferRequestedOutputTensor { Name = "SUM" }]);
        Assert.Equal(["DIFF", "SUM"], (await _client.Infer(request)).Outputs.Select(o => o.Name));
        request.Outputs.RemoveAt(1);
        var one = await _client.Infer(request);
        Assert.Equal("DIFF", Assert.Single(one.Outputs).Name);
        Assert.Single(one.RawOutputContents);
    }

    [Fact]
    public async Task Given_shapes_of_nothing_and_of_a_scalar_When_sent_Then_they_come_back_as_such()
    {
        var nothing = await _client.Infer(Request("ident_fp32", Input("IN", "FP32", 0)));
        Assert.Equal([0L], nothing.Outputs[0].Shape);
        Assert.Empty(nothing.Outputs[0].Contents.Fp32Contents);
        Assert.Empty((await _client.Infer(Request("ident_fp32", Input("IN", "FP32", 0)).Raw(Array.Empty<byte>()))).RawOutputContents[0]);
        var nan = await _client.Infer(Request("ident_fp32", Input("IN", "FP32", 1).With(c => c.Fp32Contents.Add(float.NaN))));
        Assert.Equal(float.NaN, nan.Outputs[0].Contents.Fp32Contents[0]);
    }

    [Fact]
    public async Task Given_a_version_When_named_Then_it_runs_and_the_answer_names_it()
    {
        var request = (await _client.Service.ModelMetadataAsync(new ModelMetadataRequest { Name = "stepper", Version = "1" }, _client.Options)).Inputs[0];
        Assert.Equal("FP32", request.Datatype);
        foreach (var version in (string[])["1", "2"])
        {
            var call = Request("stepper", Input(request.Name, "FP32", [.. request.Shape.Select(d => d < 0 ? 1 : d)]).With(c => c.Fp32Contents.Add(1)));
            call.ModelVersion = version;
            Assert.Equal(version, (await _client.Infer(call)).ModelVersion);
        }
    }

    private static ModelInferRequest Asking(params string[] outputs)
    {
        var request = RawIn("ident_fp32", "FP32", 1f);
        request.Outputs.Add(outputs.Select(o => new InferRequestedOutputTensor { Name = o }));
        return request;
    }

    private static ModelInferRequest With(string parameter, InferParameter value)
    {
        var request = RawIn("ident_fp32", "FP32", 1f);
        request.Parameters.Add(parameter, value);
        return request;
    }

    private static int Size(string datatype) => datatype switch { "bool" or "int8" or "uint8" => 1, "int16" or "uint16" => 2, "int32" or "uint32" or "fp32" => 4, _ => 8 };

    private static (InferTensorContents Contents, byte[] Bytes) Ends(string datatype) => datatype switch
    {
        "bool" => (new InferTensorContents { BoolContents = { true, false } }, [1, 0]),
        "int8" => (new InferTensorContents { IntContents = { sbyte.MinValue, -1, sbyte.MaxValue } }, Bytes(sbyte.MinValue, (sbyte)-1, sbyte.MaxValue)),
        "int16" => (new InferTensorContents { IntContents = { short.MinValue, -1, short.MaxValue } }, Bytes(short.MinValue, (short)-1, short.MaxValue)),
        "int32" => (new InferTensorContents { IntContents = { int.MinValue, -1, int.MaxValue } }, Bytes(int.MinValue, -1, int.MaxValue)),
        "int64" => (new InferTensorContents { Int64Contents = { long.MinValue, -1, long.MaxValue } }, Bytes(long.MinValue, -1, long.MaxValue)),
        "uint8" => (new InferTensorContents { UintContents = { 0, 255 } }, Bytes((byte)0, (byte)255)),
        "uint16" => (new InferTensorContents { UintContents = { 0, 65535 } }, Bytes((ushort)0, (ushort)65535)),
        "uint32" => (new InferTensorContents { UintContents = { 0, uint.MaxValue } }, Bytes(0u, uint.MaxValue)),
        "uint64" => (new InferTensorContents { Uint64Contents = { 0, ulong.MaxValue } }, Bytes(0ul, ulong.MaxValue)),
        "fp32" => (new InferTensorContents { Fp32Contents = { float.MinValue, -0f, float.Epsilon, float.PositiveInfinity } }, Bytes(float.MinValue, -0f, float.Epsilon, float.PositiveInfinity)),
        _ => (new InferTensorContents { Fp64Contents = { double.MinValue, -0d, double.Epsilon, double.NegativeInfinity } }, Bytes(double.MinValue, -0d, double.Epsilon, double.NegativeInfinity)),
    };
}
