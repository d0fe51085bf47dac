using Microsoft.ML.OnnxRuntime;
using Millrace.Hosting.Inference;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Models;

/// <summary>The first run of a session costs more than the next; nobody should wait for it. Zeros suffice.</summary>
internal static class WarmUp
{
    /// <summary>The most that a request may have, too.</summary>
    private const long MostElements = 1 << 24;

    private static readonly TimeSpan LongestRun = TimeSpan.FromSeconds(30);

    /// <exception cref="InvalidDataException">A run failed although <c>warm_up</c> asks for it.</exception>
    public static void Run(LoadedModel model)
    {
        try
        {
            for (var run = model.Config.WarmUp ?? 1; run > 0; run--)
                RunOnce(model);
        }
        catch (Exception error) when (error is OnnxRuntimeException or OverflowException or InvalidDataException)
        {
            if (model.Config.WarmUp is not null) // else: zeros may just not be what it takes
                throw new InvalidDataException($"it does not run with zeros, as warm_up asks: {RunFailure.Clean(error.Message)}", error);
        }
    }

    private static void RunOnce(LoadedModel model)
    {
        var inputs = new List<OrtValue>();
        try
        {
            foreach (var input in model.Inputs)
                inputs.Add(Zeros(input));
            using var options = new RunOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
            using var limit = new CancellationTokenSource(LongestRun, TimeProvider.System);
            using var stop = limit.Token.Register(static o => ((RunOptions)o!).Terminate = true, options); // its disposal waits for it, so that it never finds options that are gone
            using var outputs = model.Session.Run(options, model.InputNames, inputs, model.OutputNames);
        }
        finally
        {
            foreach (var input in inputs)
                input.Dispose();
        }
    }

    private static OrtValue Zeros(TensorSpec input)
    {
        var shape = Array.ConvertAll(input.Shape, d => d < 0 ? 1 : d);
        if (Tensor.Count(shape) > MostElements)
            throw new InvalidDataException($"the input {input.Name} is too large for a run with zeros");
        if (input.Datatype == Datatype.Bytes)
            return OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, input.Datatype.ToElementType(), shape);
        if (Tensor.Count(shape) > 0)
            value.GetTensorMutableRawData().Clear();
        return value;
    }
}
