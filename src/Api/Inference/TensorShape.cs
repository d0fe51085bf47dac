using Millrace.Api.Errors;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Inference;

/// <summary>The shape of an input, before anything of its size is allocated.</summary>
internal static class TensorShape
{
    /// <summary>Elements that it takes.</summary>
    /// <param name="most">Elements of one tensor.</param>
    /// <exception cref="RefusedException">They pass that, or 2^63.</exception>
    public static long Count(string name, long[] shape, long most)
    {
        try
        {
            if (Tensor.Count(Array.FindAll(shape, d => d != 0)) > most) // a 0 among them hides how large the others are
                throw TensorJsonReader.Wrong(name, $"its shape {Text(shape)} is too large; {most} elements are the most");
            return Tensor.Count(shape);
        }
        catch (OverflowException)
        {
            throw TensorJsonReader.Wrong(name, $"its shape {Text(shape)} takes more than 2^63 elements");
        }
    }

    public static string Text(long[]? shape) => shape is null ? "missing" : $"[{string.Join(",", shape)}]";
}
