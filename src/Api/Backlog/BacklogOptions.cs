namespace Millrace.Api.Backlog;

/// <summary>How many jobs may wait, and how long.</summary>
public sealed class BacklogOptions
{
    /// <summary>Queued jobs of one model, of all tenants; more get 503 <c>queue_full</c>. 1 to 100,000,000.</summary>
    public long MaxJobs { get; set; } = 200_000;

    /// <summary>Queued and running jobs of one tenant, where there are keys; more get 429 <c>quota_exceeded</c>. Keep it below <see cref="MaxJobs"/>, so that one tenant can't fill the queue. 1 to 100,000,000.</summary>
    public long MaxTenantJobs { get; set; } = 100_000;

    /// <summary>A job whose estimated wait is longer gets 503 <c>queue_full</c>, as one whose wait is longer than its <c>expires_in</c> does. 0: no further limit. Up to 7 days.</summary>
    public TimeSpan MaxWait { get; set; }

    /// <summary>The same for single models: the setting's last part is the model.</summary>
    public Dictionary<string, TimeSpan> Models { get; set; } = [];
}
