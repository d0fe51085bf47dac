using Millrace.Hosting.Inference;

namespace Millrace.Worker.Execution;

/// <summary>Which requests may share a run.</summary>
internal static class Batches
{
    /// <summary>Rows of a request: the first dimension that all inputs share. Null when they share none, so that it must run alone.</summary>
    public static long? Rows(InferenceRequest request)
    {
        long? rows = null;
        foreach (var input in request.Inputs)
        {
            if (input.Shape.Length == 0 || (rows ?? input.Shape[0]) != input.Shape[0])
                return null;
            rows = input.Shape[0];
        }
        return rows;
    }

    /// <summary>Whether two requests differ in nothing but their rows.</summary>
    public static bool Agree(InferenceRequest one, InferenceRequest other)
    {
        foreach (var input in one.Inputs)
        {
            var twin = Find(other, input.Name);
            if (twin is null || twin.Shape.Length != input.Shape.Length || !twin.Shape.AsSpan(1).SequenceEqual(input.Shape.AsSpan(1)))
                return false;
        }
        return true;
    }

    private static Tensor? Find(InferenceRequest request, string name)
    {
        foreach (var input in request.Inputs)
        {
            if (input.Name == name)
                return input;
        }
        return null;
    }
}
