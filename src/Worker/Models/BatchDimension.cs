using Microsoft.ML.OnnxRuntime;

namespace Millrace.Worker.Models;

/// <summary>Whether the first dimension of a model's tensors is the rows, so that requests may be joined along it.</summary>
internal static class BatchDimension
{
    /// <summary>Every input and output has a variable one.</summary>
    public static bool IsVariable(InferenceSession session) => Tensors(session).All(t => t.Dimensions is [-1, ..]);

    /// <summary>Its names say otherwise: they differ, or one is another dimension's too, as in the [N,N] of a distance. Joined, such requests could be answered with each other's rows.</summary>
    /// <remarks>In ONNX one name is one number; what has no name says nothing.</remarks>
    public static bool IsDoubtful(InferenceSession session)
    {
        var tensors = Tensors(session).Where(t => t.SymbolicDimensions.Length > 0).ToArray();
        var rows = tensors.Select(t => t.SymbolicDimensions[0]).Where(name => name.Length > 0).ToHashSet();
        return rows.Count > 1 || tensors.Any(t => t.SymbolicDimensions.Skip(1).Any(rows.Contains));
    }

    private static IEnumerable<NodeMetadata> Tensors(InferenceSession session) => session.InputMetadata.Values.Concat(session.OutputMetadata.Values);
}
