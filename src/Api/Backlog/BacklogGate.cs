using Millrace.Api.Access;
using Millrace.Api.Errors;

namespace Millrace.Api.Backlog;

/// <summary>Whether a job would be served in time: refused now, it costs nobody anything; accepted and late, it costs everybody.</summary>
internal sealed class BacklogGate(BacklogMeter meter, BacklogOptions options, TimeProvider time)
{
    /// <summary>What a full queue says of when it is not, while nothing drains.</summary>
    private const int UnknownRetry = 30;
    private const int LongestRetry = 3600;

    /// <summary>An estimate is an estimate: of jobs that would start in the last moment, half would be too late.</summary>
    private const double Margin = 1.25;

    /// <summary>Null when one more job may be accepted.</summary>
    /// <param name="expiresIn">What the client would wait.</param>
    public async Task<Refusal?> RefuseAsync(Caller caller, string model, TimeSpan expiresIn, CancellationToken cancellation)
    {
        if (await RefuseManyAsync(caller, 1, cancellation) is { } own)
            return own;
        if (await IsFullAsync(static (meter, model) => meter.Queued(model), model, options.MaxJobs, cancellation))
        {
            var queued = meter.Queued(model);
            return Full($"{queued} jobs wait for model {model}; {options.MaxJobs} are the most.", meter.PerSecond(model) is { } rate ? (queued - options.MaxJobs + 1) / rate : UnknownRetry);
        }
        var longest = options.Models.GetValueOrDefault(model, options.MaxWait) is var most && most > TimeSpan.Zero && most < expiresIn ? most : expiresIn;
        return meter.Wait(caller.Tenant, model) * Margin is { } wait && wait > longest
            ? Full($"A job for model {model} would wait about {Math.Ceiling(wait.TotalSeconds)} s, and may wait {longest.TotalSeconds} s.", (wait - longest).TotalSeconds) : null;
    }

    /// <summary>Null when the tenant may have so many more jobs open.</summary>
    public async Task<Refusal?> RefuseManyAsync(Caller caller, int jobs, CancellationToken cancellation)
    {
        if (caller.IsOpen || !await IsFullAsync(static (meter, tenant) => meter.Open(tenant), caller.Tenant, options.MaxTenantJobs - jobs + 1, cancellation))
            return null;
        var open = meter.Open(caller.Tenant);
        var rate = meter.Models.Sum(m => meter.PerSecond(m) ?? 0);
        return new Refusal(ErrorCode.QuotaExceeded, $"Tenant {caller.Tenant} has {open} jobs queued or running; {options.MaxTenantJobs} are the most{(jobs > 1 ? $", and this would add {jobs}" : "")}.")
        {
            RetryAfter = Seconds(rate > 0 ? (open + jobs - options.MaxTenantJobs) / rate : UnknownRetry),
        };
    }

    public void NoteAccepted(string tenant, string model) => meter.NoteAccepted(tenant, model);

    /// <summary>For a job that was accepted just now: how many start before it, and about when it does.</summary>
    public (int Position, DateTime? Start) Outlook(string tenant, string model, DateTimeOffset? notBefore)
    {
        var ahead = Math.Max(0, meter.Ahead(tenant, model) - 1); // it is counted itself by now
        if (meter.PerSecond(model) is not { } rate)
            return ((int)Math.Min(ahead, int.MaxValue), ahead == 0 ? (notBefore ?? time.GetUtcNow()).UtcDateTime : null);
        var start = time.GetUtcNow().AddSeconds(Math.Min(ahead / rate, 1e9));
        return ((int)Math.Min(ahead, int.MaxValue), (notBefore > start ? notBefore.Value : start).UtcDateTime);
    }

    /// <summary>What this replica knows may be a second old, and other replicas accept too: near the limit it looks again.</summary>
    /// <param name="of">The model or the tenant whose jobs are counted.</param>
    private async Task<bool> IsFullAsync(Func<BacklogMeter, string, long> count, string of, long limit, CancellationToken cancellation)
    {
        if (count(meter, of) < limit * 0.9)
            return false;
        await meter.RefreshAsync(cancellation);
        if (count(meter, of) < limit)
            return false;
        await meter.ConfirmAsync(cancellation);
        return count(meter, of) >= limit;
    }

    private static Refusal Full(string detail, double seconds) => new(ErrorCode.QueueFull, detail) { RetryAfter = Seconds(seconds) };

    /// <summary>Up to a tenth later than what was estimated, so that those who were refused together do not come back together.</summary>
    private static int Seconds(double seconds) => (int)Math.Clamp(Math.Ceiling(seconds * (1 + (Random.Shared.NextDouble() / 10))), 1, LongestRetry);
}
