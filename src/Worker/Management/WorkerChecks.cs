using Microsoft.Extensions.DependencyInjection;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Management;

namespace Millrace.Worker.Management;

/// <summary>A worker is ready when its models are announced, its consumers are attached, and store and queues have answered lately.</summary>
internal static class WorkerChecks
{
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(15);

    public static void AddWorkerChecks(this IServiceCollection services)
    {
        services.AddReadiness<WorkerService>("models", worker => worker.IsReady ? null : "It waits for the store to announce its models, or has none to serve yet.");
        services.AddReadiness<Heartbeat>("heartbeat", beat => beat.Silence is { } silence && silence <= LongestSilence ? null : "The store does not answer.");
        services.AddReadiness<IBrokerState>("consumers", broker => broker.Consumers.Where(c => c.Silence is null || c.Silence > LongestSilence).Select(c => c.Name).ToArray() is { Length: > 0 } lost
            ? $"Not attached: {string.Join(", ", lost)}." : null);
    }
}
