using Microsoft.AspNetCore.Http;
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

    /// <exception cref="RefusedException">501: the tensors follow the JSON in binary.</exception>
    public static void RefuseBinary(HttpRequest request)
    {
        if (request.Headers.ContainsKey("Inference-Header-Content-Length"))
            throw new RefusedException(ErrorCode.NotImplemented, "Binary tensors (Inference-Header-Content-Length) are not supported yet; send data as JSON.");
    }
}
