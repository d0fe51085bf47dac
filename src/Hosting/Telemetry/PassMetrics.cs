using Microsoft.Extensions.Hosting;
using Millrace.Hosting.Lifecycle;

namespace Millrace.Hosting.Telemetry;

/// <summary>How far behind each loop is: <c>time() - millrace_pass_last_success_timestamp_seconds</c> is its lag.</summary>
internal sealed class PassMetrics
{
    public PassMetrics(Instruments instruments, IEnumerable<IHostedService> services, TimeProvider time)
    {
        var last = instruments.Gauge("millrace_pass_last_success_timestamp_seconds", "When the loop last finished a pass, in Unix time; its lag is time() minus this.", "pass");
        var seconds = instruments.Histogram("millrace_pass_duration_seconds", "How long a pass of the loop took, failed ones included.", Buckets.Runs, "pass");
        foreach (var loop in services.OfType<PassLoop>())
        {
            var name = loop.GetType().Name;
            last.WithLabels(name).Set(Now());
            loop.Passed += (took, succeeded) =>
            {
                seconds.WithLabels(name).Observe(took.TotalSeconds);
                if (succeeded)
                    last.WithLabels(name).Set(Now());
            };
        }

        double Now() => time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;
    }
}
