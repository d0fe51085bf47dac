using Google.Protobuf;
using Google.Protobuf.Collections;
using Millrace.Api.Errors;
using Millrace.Api.Grpc.Protos;
using Millrace.Api.Inference;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Hosting.Inference;
using static Millrace.Api.Grpc.Protos.InferParameter;

namespace Millrace.Api.Grpc;

/// <summary>Reads and validates an inference request of gRPC against the model's announced metadata. Raw tensors are used where they lie.</summary>
/// <remarks>Source: Open Inference Protocol, gRPC.</remarks>
internal static class InferMessageReader
{
    /// <exception cref="RefusedException">It is not a valid request for this model.</exception>
    public static (InferenceRequest Request, InferenceSettings Settings) Read(ModelInferRequest message, ServedVersion model, LimitsOptions limits)
    {
        var rules = new RequestRules(model, limits);
        if (message.Inputs.Count > limits.MaxTensors)
            throw Invalid($"inputs has more than {limits.MaxTensors} tensors.");
        var raw = message.RawInputContents;
        if (raw.Count > 0 && raw.Count != message.Inputs.Count)
            throw new RefusedException(ErrorCode.InvalidTensor, $"raw_input_contents has {raw.Count} entries, and there are {message.Inputs.Count} inputs; send one for each, in their order.");
        var inputs = new Tensor?[model.Inputs.Count];
        for (var at = 0; at < message.Inputs.Count; at++)
        {
            var index = rules.IndexOf(message.Inputs[at].Name is { Length: > 0 } name ? name : null, inputs);
            inputs[index] = ReadInput(message.Inputs[at], model.Inputs[index], limits, raw.Count > 0 ? raw[at] : null);
        }
        return (new InferenceRequest(message.Id is { Length: > 0 } id ? id : null, rules.Complete(inputs), ReadOutputs(message, rules)), ReadSettings(message.Parameters));
    }

    private static Tensor ReadInput(ModelInferRequest.Types.InferInputTensor input, TensorSpec spec, LimitsOptions limits, ByteString? raw)
    {
        RefuseReserved(input.Parameters);
        long[] shape = [.. input.Shape];
        var datatype = RequestRules.Check(spec, input.Datatype is { Length: > 0 } sent ? sent : null, shape);
        if (raw is not null && input.Contents is not null)
            throw TensorJsonReader.Wrong(spec.Name, "it has contents, and the request has raw_input_contents; send one of them for all inputs");
        var count = TensorShape.Count(spec.Name, shape, limits.MaxElements);
        if (raw is null)
            return new Tensor(spec.Name, datatype, shape, TypedContents.Read(input.Contents ?? new InferTensorContents(), spec.Name, datatype, count));
        TensorBytes.Check(spec.Name, datatype, count, raw.Span);
        return new Tensor(spec.Name, datatype, shape, raw.Memory);
    }

    private static List<RequestedOutput> ReadOutputs(ModelInferRequest message, RequestRules rules)
    {
        var outputs = new List<RequestedOutput>(message.Outputs.Count);
        foreach (var output in message.Outputs)
        {
            RefuseReserved(output.Parameters);
            if (output.Name.Length == 0)
                throw Invalid("An output has no name.");
            var classes = output.Parameters.TryGetValue("classification", out var sent) ? (int)Math.Min(Whole("classification", sent, 1), int.MaxValue) : 0;
            rules.CheckOutput(output.Name, classes, outputs.Exists(o => o.Name == output.Name), outputs.Count);
            outputs.Add(new RequestedOutput(output.Name, Classes: classes));
        }
        return outputs;
    }

    private static InferenceSettings ReadSettings(MapField<string, InferParameter> parameters)
    {
        RefuseReserved(parameters);
        var settings = new InferenceSettings();
        if (parameters.TryGetValue("priority", out var priority))
            settings = settings.WithPriority(Whole("priority", priority, 0));
        if (parameters.TryGetValue("timeout", out var timeout))
            settings = settings.WithTimeout(Whole("timeout", timeout, 0));
        return settings;
    }

    private static void RefuseReserved(MapField<string, InferParameter> parameters)
    {
        foreach (var (name, parameter) in parameters)
        {
            InferenceSettings.RefuseReserved(name);
            if (parameter.ParameterChoiceCase == ParameterChoiceOneofCase.None)
                throw Invalid($"Parameter {RequestRules.Printable(name)} must have a value.");
        }
    }

    /// <summary>Clients send whole numbers in either kind.</summary>
    private static long Whole(string name, InferParameter parameter, long least) => parameter.ParameterChoiceCase switch
    {
        ParameterChoiceOneofCase.Int64Param when parameter.Int64Param >= least => parameter.Int64Param,
        ParameterChoiceOneofCase.Uint64Param when parameter.Uint64Param >= (ulong)least => (long)Math.Min(parameter.Uint64Param, long.MaxValue),
        _ => throw Invalid($"Parameter {name} must be a whole number from {least}, as int64_param or uint64_param."),
    };

    private static RefusedException Invalid(string detail) => new(ErrorCode.InvalidRequest, detail);
}
