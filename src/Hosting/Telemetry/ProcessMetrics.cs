using System.Reflection;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Resilience;
using Millrace.Hosting.Servers;

namespace Millrace.Hosting.Telemetry;

/// <summary>What was built, and the circuits around its servers.</summary>
internal sealed class ProcessMetrics
{
    public ProcessMetrics(Instruments instruments, ProcessName process, StoreBreaker store, IBrokerState broker)
    {
        var (version, revision) = Built();
        instruments.Gauge("millrace_build_info", "Always 1: which version this is, built from which Git revision, and which process.", "version", "revision", "process")
            .WithLabels(version, revision, process.Name).Set(1);
        var circuit = instruments.Gauge("millrace_circuit_open", "1 while calls to the server are refused at once, 0.5 while one may try, else 0.", "circuit");
        var allocated = instruments.Counter("millrace_allocated_bytes_total", "Bytes allocated on the managed heap since the start.");
        instruments.OnScrape(() =>
        {
            allocated.IncTo(GC.GetTotalAllocatedBytes(precise: true)); // else it is as of the last collection
            circuit.WithLabels("store").Set(Value(store.Breaker.State));
            circuit.WithLabels("broker").Set(broker.Alarm is null ? Value(broker.Circuit) : 1);
        });
    }

    private static double Value(Circuit circuit) => circuit switch
    {
        Circuit.Closed => 0,
        Circuit.HalfOpen => 0.5,
        _ => 1,
    };

    /// <summary>The SDK writes 0.1.0+revision where it finds a Git checkout, or is told SourceRevisionId.</summary>
    internal static (string Version, string Revision) Built()
    {
        var parts = (typeof(ProcessMetrics).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0").Split('+', 2);
        return (parts[0], parts.Length > 1 ? parts[1] : "unknown");
    }
}

/// <summary>What a process is, as logs, traces and metrics call it: <c>api</c>, <c>worker</c> or <c>standalone</c>.</summary>
public sealed record ProcessName(string Name);
