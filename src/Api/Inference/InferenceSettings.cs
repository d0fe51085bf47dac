using Millrace.Api.Errors;

namespace Millrace.Api.Inference;

/// <summary>What the protocol's request parameters ask of us.</summary>
/// <param name="Priority">0 default, 1 highest; a value above 9 counts as 9.</param>
/// <param name="Timeout">For waiting and running together; null when not given.</param>
/// <remarks>Source: Triton's schedule policy extension (<c>timeout</c> in microseconds).</remarks>
internal readonly record struct InferenceSettings(int Priority, TimeSpan? Timeout)
{
    public const int LowestPriority = 9;
    public static readonly TimeSpan LongestTimeout = TimeSpan.FromSeconds(60);

    public InferenceSettings WithPriority(long priority) => this with { Priority = (int)Math.Min(priority, LowestPriority) };

    /// <param name="micros">0 counts as not given.</param>
    public InferenceSettings WithTimeout(long micros) => micros > 0 ? this with { Timeout = TimeSpan.FromMicroseconds(Math.Min(micros, LongestTimeout.TotalMicroseconds)) } : this;

    /// <exception cref="RefusedException">The protocol keeps the name for servers.</exception>
    public static void RefuseReserved(string parameter)
    {
        if (parameter.StartsWith("triton_", StringComparison.Ordinal))
            throw new RefusedException(ErrorCode.InvalidRequest, $"Parameter {RequestRules.Printable(parameter)}: names that begin with triton_ are reserved.");
    }
}
