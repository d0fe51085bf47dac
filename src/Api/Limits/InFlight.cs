using Millrace.Api.Errors;

namespace Millrace.Api.Limits;

/// <summary>What this replica has in hand: requests, waits for a job's end, and bytes of bodies. More than the limits is refused at once.</summary>
internal sealed class InFlight(LimitsOptions options)
{
    private int _requests;
    private int _waits;
    private long _bodyBytes;

    public int Requests => Volatile.Read(ref _requests);
    public int Waits => Volatile.Read(ref _waits);
    public long BodyBytes => Volatile.Read(ref _bodyBytes);

    /// <exception cref="RefusedException">503: too many are in work.</exception>
    public Place Enter()
    {
        if (Interlocked.Increment(ref _requests) <= options.MaxRequests)
            return new Place(this);
        Interlocked.Decrement(ref _requests);
        throw Overloaded($"This replica has {options.MaxRequests} requests in work.");
    }

    /// <summary>Room for more bytes of a body.</summary>
    /// <exception cref="RefusedException">503: all bodies together would take too much memory.</exception>
    public void Reserve(long bytes)
    {
        if (Interlocked.Add(ref _bodyBytes, bytes) <= options.MaxBodyMemory)
            return;
        Release(bytes);
        throw Overloaded("The bodies of the requests in work take all the memory that is meant for them.");
    }

    public void Release(long bytes) => Interlocked.Add(ref _bodyBytes, -bytes);

    private static RefusedException Overloaded(string detail) => new(new Refusal(ErrorCode.Overloaded, detail) { RetryAfter = 1 });

    /// <summary>A request's place among those in work, or among those that wait.</summary>
    internal sealed class Place(InFlight all) : IDisposable
    {
        private bool _waits;

        public bool Waits => _waits;

        /// <summary>From here on it only waits, which costs next to nothing.</summary>
        /// <exception cref="RefusedException">503: too many wait.</exception>
        public void Wait()
        {
            if (_waits)
                return;
            if (Interlocked.Increment(ref all._waits) > all.MostWaits)
            {
                Interlocked.Decrement(ref all._waits);
                throw Overloaded($"{all.MostWaits} requests wait for a job's end; ask for it without waiting.");
            }
            _waits = true;
            Interlocked.Decrement(ref all._requests);
        }

        public void Dispose()
        {
            if (_waits)
                Interlocked.Decrement(ref all._waits);
            else
                Interlocked.Decrement(ref all._requests);
        }
    }

    private int MostWaits => options.MaxWaits;
}
