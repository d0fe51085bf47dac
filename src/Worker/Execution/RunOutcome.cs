using System.Text.RegularExpressions;
using Microsoft.ML.OnnxRuntime;
using Millrace.Messages;
using Millrace.Storage.Jobs;

namespace Millrace.Worker.Execution;

/// <summary>How a request's run ended.</summary>
internal abstract record RunOutcome
{
    private RunOutcome() { } // closed: every outcome stands below

    /// <param name="Response">The encoded response.</param>
    internal sealed record Done(byte[] Response) : RunOutcome;

    internal sealed record Failed(RunFailure Failure) : RunOutcome;

    /// <summary>Nobody wants the answer any more: canceled, or the job is another worker's by now.</summary>
    internal sealed record Abandoned : RunOutcome;

    /// <summary>The worker leaves before it was done.</summary>
    internal sealed record GivenBack : RunOutcome;
}

/// <param name="Code">One of <see cref="JobErrorCodes"/>.</param>
/// <param name="Message">Fit for the client: no path, no type name, at most 300 characters.</param>
/// <param name="Retryable">Another attempt may end otherwise.</param>
/// <param name="Kind">The same for the sync lane.</param>
internal sealed partial record RunFailure(string Code, string Message, bool Retryable, InferFailure Kind)
{
    private const int LongestMessage = 300;

    public static readonly RunFailure Timeout =
        new(JobErrorCodes.ExecutionTimeout, "The attempt took longer than its timeout.", true, InferFailure.DeadlineExceeded);

    public static RunFailure From(Exception error) => error switch
    {
        // ONNX Runtime has one exception type; the text names the code (measured with 1.31: wrong index, rank or value are InvalidArgument).
        OnnxRuntimeException when error.Message.Contains("allocate memory", StringComparison.Ordinal)
            || error.Message.Contains("smaller than requested bytes", StringComparison.Ordinal) // the shared arena is full
            || error.Message.Contains("bad_alloc", StringComparison.Ordinal) => OutOfMemory,
        OnnxRuntimeException when error.Message.Contains("ErrorCode:InvalidArgument", StringComparison.Ordinal) =>
            new(JobErrorCodes.ModelError, $"The model refused the input: {Clean(error.Message)}", false, InferFailure.InvalidInput),
        OutOfMemoryException => OutOfMemory,
        EmptyInputException => new(JobErrorCodes.ModelError, error.Message, false, InferFailure.InvalidInput),
        ResultTooLargeException => new(JobErrorCodes.ResultTooLarge, error.Message, false, InferFailure.TooLarge),
        InvalidDataException or OverflowException => new(JobErrorCodes.InvalidOutput, Clean(error.Message), false, InferFailure.ModelError),
        OnnxRuntimeException => new(JobErrorCodes.ModelError, $"The model failed: {Clean(error.Message)}", true, InferFailure.ModelError),
        _ => new(JobErrorCodes.ModelError, "The model run failed.", true, InferFailure.ModelError),
    };

    /// <summary>ONNX Runtime's own words without its source paths and prefixes.</summary>
    public static string Clean(string message)
    {
        var start = message.LastIndexOf("Status Message: ", StringComparison.Ordinal);
        var text = start >= 0 ? message[(start + "Status Message: ".Length)..] : Prefix().Replace(message, "");
        text = Spaces().Replace(SourcePath().Replace(CheckFailed().Replace(text, ""), ""), " ").Trim();
        return text.Length <= LongestMessage ? text : text[..LongestMessage];
    }

    private static readonly RunFailure OutOfMemory =
        new(JobErrorCodes.OutOfMemory, "The run needed more memory than there is.", true, InferFailure.ModelError);

    [GeneratedRegex(@"^\[ErrorCode:\w+\]\s*")]
    private static partial Regex Prefix();

    /// <summary>Source file, function and the condition that did not hold: ONNX Runtime's business, not the client's.</summary>
    [GeneratedRegex(@"\S*/\S+:\d+ .*?\) (?:.*? was false\. )?")]
    private static partial Regex CheckFailed();

    [GeneratedRegex(@"\S*/\S*")]
    private static partial Regex SourcePath();

    [GeneratedRegex(@"[\s\p{Cc}]+")]
    private static partial Regex Spaces();
}
