using System.Runtime.InteropServices;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Grpc.Core;
using Grpc.Net.Client;
using Millrace.Api.Grpc.Protos;
using Millrace.Conformance.Tests.Cases;
using Millrace.Conformance.Tests.Table;
using Millrace.Hosting.Inference;

namespace Millrace.Conformance.Tests.Transports;

/// <summary><c>inference.GRPCInferenceService/ModelInfer</c>.</summary>
/// <param name="typed">Elements in the fields of their types; else in <c>raw_input_contents</c>, as the common clients send them.</param>
internal sealed class GrpcTransport(GrpcChannel channel, bool typed) : ITransport
{
    private readonly GRPCInferenceService.GRPCInferenceServiceClient _client = new(channel);

    public async Task<Reply> AskAsync(string model, Case asked)
    {
        var request = new ModelInferRequest { ModelName = model };
        foreach (var input in asked.Inputs)
        {
            var tensor = new ModelInferRequest.Types.InferInputTensor { Name = input.Name, Datatype = input.Datatype.Name(), Shape = { input.Shape } };
            if (typed)
                tensor.Contents = Contents(input);
            else
                request.RawInputContents.Add(ByteString.CopyFrom(input.Data.Span));
            request.Inputs.Add(tensor);
        }
        try { return Read(await _client.ModelInferAsync(request, cancellationToken: TestContext.Current.CancellationToken)); }
        catch (RpcException error)
        {
            return new Reply.Refused(error.StatusCode switch { StatusCode.InvalidArgument => 400, StatusCode.Internal => 500, _ => (int)error.StatusCode }, error.Status.ToString());
        }
    }

    private static Reply.Answered Read(ModelInferResponse answer)
    {
        var isRaw = answer.RawOutputContents.Count > 0;
        if (isRaw)
            Assert.Equal(answer.Outputs.Count, answer.RawOutputContents.Count);
        return new Reply.Answered(answer.ModelName, answer.ModelVersion, answer.Outputs.Select((output, at) =>
        {
            Assert.True(Datatypes.TryParse(output.Datatype, out var datatype), output.Datatype);
            return new Tensor(output.Name, datatype, [.. output.Shape], isRaw ? answer.RawOutputContents[at].Memory : Bytes(datatype, output.Contents ?? new InferTensorContents()));
        }).ToArray());
    }

    private static InferTensorContents Contents(Tensor tensor)
    {
        var contents = new InferTensorContents();
        var data = tensor.Data.Span;
        switch (tensor.Datatype)
        {
            case Datatype.Bool: Add(contents.BoolContents, data, (byte v) => v != 0); break;
            case Datatype.Int8: Add(contents.IntContents, data, (sbyte v) => v); break;
            case Datatype.Int16: Add(contents.IntContents, data, (short v) => v); break;
            case Datatype.Int32: Add(contents.IntContents, data, (int v) => v); break;
            case Datatype.Int64: Add(contents.Int64Contents, data, (long v) => v); break;
            case Datatype.Uint8: Add(contents.UintContents, data, (byte v) => v); break;
            case Datatype.Uint16: Add(contents.UintContents, data, (ushort v) => v); break;
            case Datatype.Uint32: Add(contents.UintContents, data, (uint v) => v); break;
            case Datatype.Uint64: Add(contents.Uint64Contents, data, (ulong v) => v); break;
            case Datatype.Fp32: Add(contents.Fp32Contents, data, (float v) => v); break;
            case Datatype.Fp64: Add(contents.Fp64Contents, data, (double v) => v); break;
            case Datatype.Bytes: contents.BytesContents.Add(Elements.Split(tensor.Data).Select(text => ByteString.CopyFrom(text.Span))); break;
            default: Add(contents.UintContents, data, (ushort v) => v); break; // there is no field for 16 bits, so that the refusal is seen
        }
        return contents;
    }

    private static byte[] Bytes(Datatype datatype, InferTensorContents contents) => datatype switch
    {
        Datatype.Bool => Bytes(contents.BoolContents, v => v ? (byte)1 : (byte)0),
        Datatype.Int8 => Bytes(contents.IntContents, v => checked((sbyte)v)),
        Datatype.Int16 => Bytes(contents.IntContents, v => checked((short)v)),
        Datatype.Int32 => Bytes(contents.IntContents, v => v),
        Datatype.Int64 => Bytes(contents.Int64Contents, v => v),
        Datatype.Uint8 => Bytes(contents.UintContents, v => checked((byte)v)),
        Datatype.Uint16 => Bytes(contents.UintContents, v => checked((ushort)v)),
        Datatype.Uint32 => Bytes(contents.UintContents, v => v),
        Datatype.Uint64 => Bytes(contents.Uint64Contents, v => v),
        Datatype.Fp32 => Bytes(contents.Fp32Contents, v => v),
        Datatype.Fp64 => Bytes(contents.Fp64Contents, v => v),
        Datatype.Bytes => Elements.Join(contents.BytesContents.Select(text => text.ToByteArray())),
        _ => throw new InvalidDataException($"{datatype.Name()} came in typed contents, which have no field for it."),
    };

    private static void Add<TFrom, TTo>(RepeatedField<TTo> field, ReadOnlySpan<byte> data, Func<TFrom, TTo> convert) where TFrom : struct
    {
        foreach (var value in MemoryMarshal.Cast<byte, TFrom>(data))
            field.Add(convert(value));
    }

    private static byte[] Bytes<TFrom, TTo>(RepeatedField<TFrom> field, Func<TFrom, TTo> convert) where TTo : struct =>
        MemoryMarshal.AsBytes<TTo>(field.Select(convert).ToArray()).ToArray();
}
