using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Lifecycle;

namespace Millrace.Worker.Health;

/// <summary>Live: the process answers. Ready: it is announced, its consumers are attached, and store and queues have answered lately.</summary>
internal static class WorkerHealth
{
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(15);

    public static void MapWorkerHealth(this WebApplication app)
    {
        app.MapGet("/v2/health/live", () => TypedResults.Text("""{"live":true}""", "application/json"));
        app.MapGet("/v2/health/ready", Ready);
    }

    private static IResult Ready(Draining draining, WorkerService worker, Heartbeat heartbeat, IBrokerState broker)
    {
        var faults = Faults(draining, worker, heartbeat, broker).ToArray();
        return faults.Length == 0
            ? TypedResults.Text("""{"ready":true}""", "application/json")
            : TypedResults.Text($$"""{"ready":false,"error":"{{string.Join(' ', faults)}}"}""", "application/json", statusCode: 503);
    }

    private static IEnumerable<string> Faults(Draining draining, WorkerService worker, Heartbeat heartbeat, IBrokerState broker)
    {
        if (draining.Begun.IsCancellationRequested)
            yield return "This worker is stopping.";
        if (!worker.IsAttached)
            yield return "It waits for the store to announce its models.";
        if (heartbeat.Silence is not { } silence || silence > LongestSilence)
            yield return "The store does not answer.";
        foreach (var (name, since) in broker.Consumers)
        {
            if (since is null || since > LongestSilence)
                yield return $"The consumer of {name} is not attached.";
        }
    }
}
