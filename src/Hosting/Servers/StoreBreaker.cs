using Microsoft.Extensions.Logging;
using Millrace.Hosting.Chaos;
using Millrace.Hosting.Resilience;
using Millrace.Storage;

namespace Millrace.Hosting.Servers;

/// <summary>The circuit around the store. SQLite has none to open: a disk answers or fails at once.</summary>
public sealed class StoreBreaker(BreakerOptions options, ChaosSwitch chaos, TimeProvider time, ILogger<StoreBreaker> logger) : IStoreGuard
{
    public Breaker Breaker { get; } = new("store", static error => error is StoreUnavailableException,
        static () => new StoreUnavailableException("The database did not answer just now; it is tried again in a moment."), options,
        chaos.Calls(ChaosTargets.Store, static () => new StoreUnavailableException("The database was made to fail (chaos).")), time, logger);

    public Task<T> RunAsync<T>(Func<Task<T>> call) => Breaker.RunAsync(call);
}
