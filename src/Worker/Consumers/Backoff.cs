namespace Millrace.Worker.Consumers;

/// <summary>Exponential with full jitter, so that jobs that failed together do not come back together.</summary>
internal static class Backoff
{
    /// <param name="attempt">The attempt that failed, from 1.</param>
    public static TimeSpan Draw(WorkerOptions options, int attempt) =>
        Random.Shared.NextDouble() * TimeSpan.FromTicks((long)Math.Min(options.LongestBackoff.Ticks, options.Backoff.Ticks * Math.Pow(2, attempt - 1)));
}
