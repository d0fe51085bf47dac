using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Millrace.Hosting.Management;

/// <summary>One thing that readiness depends on. A check reads what the process knows already: it asks no server, so a probe costs nothing and never hangs.</summary>
public static class Check
{
    /// <param name="look">Null when all is well, else what is not.</param>
    /// <param name="degraded">Work is taken all the same.</param>
    public static void AddReadiness<T>(this IServiceCollection services, string name, Func<T, string?> look, bool degraded = false) where T : notnull =>
        services.AddHealthChecks().Add(new HealthCheckRegistration(name, provider => new Look(() => look(provider.GetRequiredService<T>())),
            degraded ? HealthStatus.Degraded : HealthStatus.Unhealthy, tags: null));

    private sealed class Look(Func<string?> look) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(look() is { } fault ? new HealthCheckResult(context.Registration.FailureStatus, fault) : HealthCheckResult.Healthy());
    }
}
