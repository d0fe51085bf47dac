namespace Millrace.Storage.Rates;

/// <summary>Quotas per window, which replicas lease in parts, so that their sum never passes a limit. The clock is the store's.</summary>
public interface IRateStore
{
    /// <summary>Takes up to <paramref name="wanted"/> of what is left of the present window.</summary>
    Task<RateLease> LeaseAsync(string subject, int wanted, int limit, TimeSpan window, CancellationToken cancellation);

    /// <summary>Forgets windows that ended that long ago.</summary>
    Task PurgeAsync(TimeSpan endedBefore, CancellationToken cancellation);
}

/// <param name="Granted">0 when the window's quota is used up.</param>
/// <param name="Left">Of the window's quota, for all replicas, after this lease.</param>
/// <param name="EndsIn">Time to the end of the window.</param>
public sealed record RateLease(int Granted, int Left, TimeSpan EndsIn);
