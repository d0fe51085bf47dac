using Google.Protobuf;
using Millrace.Api.Grpc.Protos;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Grpc;

/// <summary>An inference response as a message, whose raw tensors are views of the same memory.</summary>
/// <remarks>Source: Open Inference Protocol, gRPC.</remarks>
internal static class InferMessageWriter
{
    /// <param name="isRaw">The request was raw. An answer is so too, if an output has no list to be in.</param>
    public static ModelInferResponse Write(InferenceResponse response, bool isRaw)
    {
        isRaw |= response.Outputs.Any(o => !TypedContents.CanHold(o.Datatype));
        var message = new ModelInferResponse { ModelName = response.Model, ModelVersion = response.ModelVersion, Id = response.Id ?? "" };
        foreach (var output in response.Outputs)
        {
            message.Outputs.Add(new ModelInferResponse.Types.InferOutputTensor
            {
                Name = output.Name,
                Datatype = output.Datatype.Name(),
                Shape = { output.Shape },
                Contents = isRaw ? null : TypedContents.Write(output),
            });
            if (isRaw)
                message.RawOutputContents.Add(UnsafeByteOperations.UnsafeWrap(output.Data));
        }
        return message;
    }
}
