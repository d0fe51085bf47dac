using Microsoft.Extensions.DependencyInjection;
using Millrace.Api.Errors;
using Millrace.Api.Models;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Management;
using Millrace.Hosting.Resilience;

namespace Millrace.Api.Health;

/// <summary>An API is ready while it can accept jobs: that takes the store alone. Without the broker it is degraded.</summary>
internal static class ApiChecks
{
    /// <summary>The catalog is read from the store every second: older than this, and the store is away.</summary>
    private static readonly TimeSpan StoreSilence = TimeSpan.FromSeconds(10);

    public static void AddApiChecks(this IServiceCollection services)
    {
        services.AddReadiness<ModelCatalog>("store", catalog => StoreAnswers(catalog) ? null : "The store does not answer.");
        services.AddReadiness<IBrokerState>("broker", broker => broker.Alarm ?? (broker.Circuit == Circuit.Closed ? null : "Its circuit is open."), degraded: true);
    }

    /// <summary>Null when new work can be accepted.</summary>
    public static Refusal? WhyNotReady(Draining draining, ModelCatalog catalog)
    {
        if (draining.Begun.IsCancellationRequested)
            return new Refusal(ErrorCode.ShuttingDown, "This process is stopping.") { RetryAfter = 1 };
        return StoreAnswers(catalog) ? null : new Refusal(ErrorCode.Unavailable, "The store does not answer.") { RetryAfter = 2 };
    }

    private static bool StoreAnswers(ModelCatalog catalog) => catalog.Age is { } age && age <= StoreSilence;
}
