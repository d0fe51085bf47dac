using Millrace.Api.Errors;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Inference;

/// <summary>What the tensors of a request must be to fit the model, in whichever form they came.</summary>
internal readonly struct RequestRules(ServedVersion model, LimitsOptions limits)
{
    public const int MostDimensions = 64;

    /// <summary>Which input it is.</summary>
    /// <param name="given">By the model's inputs, those that were read before.</param>
    public int IndexOf(string? name, Tensor?[] given)
    {
        for (var at = 0; at < given.Length; at++)
        {
            if (model.Inputs[at].Name != name)
                continue;
            return given[at] is null ? at : throw TensorJsonReader.Wrong(name, "it is given twice");
        }
        throw new RefusedException(ErrorCode.InvalidTensor, name is null
            ? $"An input has no name; the model takes {InputNames()}."
            : $"There is no input {Printable(name)}; the model takes {InputNames()}.");
    }

    /// <summary>The datatype, after datatype and shape were found to be what the model takes.</summary>
    public static Datatype Check(TensorSpec spec, string? datatype, long[]? shape)
    {
        if (datatype != spec.Datatype.Name())
            throw TensorJsonReader.Wrong(spec.Name, $"its datatype is {(datatype is null ? "missing" : Printable(datatype))}; the model takes {spec.Datatype.Name()}");
        if (shape is null || !spec.Fits(shape))
            throw TensorJsonReader.Wrong(spec.Name, $"its shape is {TensorShape.Text(shape)}; the model takes {TensorShape.Text(spec.Shape)}, where -1 is any length");
        return spec.Datatype;
    }

    /// <summary>All inputs of the model, in its order.</summary>
    public Tensor[] Complete(Tensor?[] given)
    {
        for (var at = 0; at < given.Length; at++)
        {
            if (given[at] is null)
                throw new RefusedException(ErrorCode.InvalidTensor, $"Input {model.Inputs[at].Name} is missing; the model takes {InputNames()}.");
        }
        return given!;
    }

    /// <param name="classes">Of the highest values; 0 for the tensor itself.</param>
    /// <param name="before">Outputs that the request asked for already.</param>
    public void CheckOutput(string name, int classes, bool isThereAlready, int before)
    {
        var spec = model.Outputs.FirstOrDefault(o => o.Name == name) ?? throw new RefusedException(
            ErrorCode.InvalidTensor, $"There is no output {Printable(name)}; the model has {string.Join(", ", model.Outputs.Select(o => o.Name))}.");
        if (classes > 0 && spec.Datatype == Datatype.Bytes)
            throw new RefusedException(ErrorCode.InvalidTensor, $"Output {name} is BYTES; classification ranks numbers.");
        if (isThereAlready)
            throw new RefusedException(ErrorCode.InvalidTensor, $"Output {name} is asked for twice.");
        if (before == limits.MaxTensors)
            throw new RefusedException(ErrorCode.InvalidRequest, $"outputs has more than {limits.MaxTensors} tensors.");
    }

    public static string Printable(string text) => text.Length <= 64 ? text : text[..64] + "…";

    private string InputNames() => string.Join(", ", model.Inputs.Select(i => i.Name));
}
