using Millrace.Api.Errors;
using Millrace.Messages;

namespace Millrace.Api.Inference;

/// <summary>What a failure on the sync lane is to who asked.</summary>
internal static class InferFailures
{
    /// <exception cref="RefusedException">There is no answer.</exception>
    public static void Check(InferOutcome outcome)
    {
        if (outcome.Failure != InferFailure.None)
            throw new RefusedException(Refuse(outcome));
    }

    private static Refusal Refuse(InferOutcome outcome) => outcome.Failure switch
    {
        InferFailure.InvalidInput => new Refusal(ErrorCode.InvalidTensor, outcome.Detail!),
        InferFailure.DeadlineExceeded => new Refusal(ErrorCode.DeadlineExceeded, $"{outcome.Detail} Allow more time by parameters.timeout, or send a job."),
        InferFailure.ModelNotReady => new Refusal(ErrorCode.ModelNotReady, outcome.Detail!) { RetryAfter = 1 },
        InferFailure.ShuttingDown => new Refusal(ErrorCode.ShuttingDown, outcome.Detail!) { RetryAfter = 1 },
        InferFailure.TooLarge => new Refusal(ErrorCode.PayloadTooLarge, outcome.Detail!),
        InferFailure.WorkerLost => new Refusal(ErrorCode.Unavailable, outcome.Detail!) { RetryAfter = 1 },
        _ => new Refusal(ErrorCode.Internal, outcome.Detail ?? "The model run failed."),
    };
}
