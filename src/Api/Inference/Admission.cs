using Millrace.Api.Errors;
using Millrace.Hosting.Lifecycle;

namespace Millrace.Api.Inference;

/// <summary>The first checks of whatever brings work.</summary>
internal static class Admission
{
    /// <summary>Counts the request as work that the process finishes before it leaves.</summary>
    /// <exception cref="RefusedException">503: the process takes no new work.</exception>
    public static Draining.Work Begin(Draining draining) => draining.Begun.IsCancellationRequested
        ? throw new RefusedException(new Refusal(ErrorCode.ShuttingDown, "This process is stopping; another one takes the request.") { RetryAfter = 1 })
        : draining.Begin();
}
