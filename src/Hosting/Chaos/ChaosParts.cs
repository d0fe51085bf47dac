using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Telemetry;

namespace Millrace.Hosting.Chaos;

internal static class ChaosParts
{
    public static void AddChaos(this IServiceCollection services)
    {
        services.AddSettings<ChaosOptions>("Chaos");
        services.AddSingleton(provider => provider.GetRequiredService<ChaosOptions>().Enabled && provider.GetRequiredService<IHostEnvironment>().IsProduction()
            ? throw new StartupException("Millrace:Chaos:Enabled: calls are not made to fail in the Production environment; leave it false")
            : ActivatorUtilities.CreateInstance<ChaosSwitch>(provider));
        services.AddMetrics<ChaosListener>();
    }

    /// <summary>Hears orders and shows them, from when the process has started.</summary>
    private sealed class ChaosListener : IDisposable
    {
        private readonly IDisposable? _subscription;

        public ChaosListener(Instruments instruments, ChaosSwitch chaos, IEventBus events)
        {
            _subscription = chaos.Listen(events);
            var active = instruments.Gauge("millrace_chaos_active", "1 while calls to the target are made to go wrong on purpose, else 0.", "target");
            instruments.OnScrape(() =>
            {
                var now = chaos.Active.Select(o => o.Order.Target).ToHashSet();
                foreach (var target in ChaosTargets.All)
                    active.WithLabels(target).Set(now.Contains(target) ? 1 : 0);
            });
        }

        public void Dispose() => _subscription?.Dispose();
    }
}
