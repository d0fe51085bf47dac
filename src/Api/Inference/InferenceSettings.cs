namespace Millrace.Api.Inference;

/// <summary>What the protocol's request parameters ask of us.</summary>
/// <param name="Priority">0 default, 1 highest; a value above 9 counts as 9.</param>
/// <param name="Timeout">For waiting and running together; null when not given.</param>
/// <remarks>Source: Triton's schedule policy extension (<c>timeout</c> in microseconds).</remarks>
internal readonly record struct InferenceSettings(int Priority, TimeSpan? Timeout)
{
    public const int LowestPriority = 9;
    public static readonly TimeSpan LongestTimeout = TimeSpan.FromSeconds(60);
}
