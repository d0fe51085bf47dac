using Microsoft.Extensions.Logging;
using Millrace.Hosting.Lifecycle;
using Millrace.Storage;
using Millrace.Storage.Rates;

namespace Millrace.Api.Limits;

/// <summary>Counts requests against quotas that all replicas share. Each leases a twentieth of a window's quota at a time from the store, so that the sum never passes the limit
/// and 19 of 20 requests cost no I/O; a window that is used up costs none either.</summary>
/// <remarks>While the store can't be asked, each replica counts for itself: better too many for a while than nobody.</remarks>
internal sealed class RateLimiter(IRateStore store, RateLimitOptions options, TimeProvider time, ILogger<RateLimiter> logger) : PassLoop(TimeSpan.FromSeconds(30), time, logger)
{
    private const int LeasesInWindow = 20;

    private readonly Subjects<Quota> _quotas = new(quota => quota.EndsAt);

    /// <summary>Who is counted now.</summary>
    public int Counted => _quotas.Count;

    public ValueTask<RateDecision> TakeAsync(string subject, int limit, CancellationToken cancellation)
    {
        var quota = _quotas.GetOrAdd(subject, static () => new Quota());
        return quota.TryTake(limit, Time) is { } decision ? ValueTask.FromResult(decision) : new ValueTask<RateDecision>(LeaseAsync(quota, subject, limit, cancellation));
    }

    /// <summary>What a request took before another limit refused it.</summary>
    public void GiveBack(string subject) => _quotas.Find(subject)?.GiveBack();

    /// <summary>Forgets windows that are over, here and in the store.</summary>
    public override async Task RunOnceAsync(CancellationToken cancellation)
    {
        _quotas.Forget(quota => quota.IsOver(Time));
        await store.PurgeAsync(options.Window, cancellation);
    }

    private async Task<RateDecision> LeaseAsync(Quota quota, string subject, int limit, CancellationToken cancellation)
    {
        await quota.Leasing.WaitAsync(cancellation);
        try
        {
            while (true)
            {
                if (quota.TryTake(limit, Time) is { } decision)
                    return decision;
                var asked = Time.GetTimestamp(); // before the store looks at its clock, so that a window never seems longer than it is
                quota.Fill(await LeaseAsync(subject, limit, cancellation), asked, Time);
            }
        }
        finally { quota.Leasing.Release(); }
    }

    private async Task<RateLease> LeaseAsync(string subject, int limit, CancellationToken cancellation)
    {
        try { return await store.LeaseAsync(subject, Math.Max(1, limit / LeasesInWindow), limit, options.Window, cancellation); }
        catch (StoreUnavailableException error)
        {
            logger.RateStoreAway(error.Message);
            return new RateLease(limit, 0, options.Window - TimeSpan.FromTicks(Time.GetUtcNow().Ticks % options.Window.Ticks));
        }
    }

    /// <summary>What this replica has of a subject's present window.</summary>
    private sealed class Quota
    {
        private readonly Lock _gate = new();
        private int _here;
        private int _elsewhere;
        private bool _usedUp;

        public SemaphoreSlim Leasing { get; } = new(1, 1);
        public long EndsAt { get; private set; }

        public bool IsOver(TimeProvider time) => time.GetTimestamp() >= EndsAt;

        /// <summary>Null when the store must be asked.</summary>
        public RateDecision? TryTake(int limit, TimeProvider time)
        {
            lock (_gate)
            {
                var now = time.GetTimestamp();
                if (now >= EndsAt)
                    return null;
                var reset = Math.Max(1, (int)Math.Ceiling(time.GetElapsedTime(now, EndsAt).TotalSeconds));
                if (_here == 0)
                    return _usedUp ? new RateDecision(false, limit, 0, reset) : null;
                _here--;
                return new RateDecision(true, limit, _here + _elsewhere, reset);
            }
        }

        public void Fill(RateLease lease, long asked, TimeProvider time)
        {
            lock (_gate)
            {
                EndsAt = asked + (long)(lease.EndsIn.TotalSeconds * time.TimestampFrequency);
                (_here, _elsewhere, _usedUp) = (lease.Granted, lease.Left, lease.Left == 0);
            }
        }

        public void GiveBack()
        {
            lock (_gate)
                _here++;
        }
    }
}
