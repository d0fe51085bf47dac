using Microsoft.Extensions.DependencyInjection;

namespace Millrace.Hosting.Telemetry;

public static class MetricsExtensions
{
    /// <summary>Metrics that no other part asks for: they are there from when the process has started.</summary>
    public static IServiceCollection AddMetrics<T>(this IServiceCollection services) where T : class =>
        services.AddSingleton<T>().AddSingleton(new Instruments.Part(typeof(T)));

    internal static void StartMetrics(this IServiceProvider services)
    {
        foreach (var part in services.GetServices<Instruments.Part>())
            services.GetRequiredService(part.Type);
    }
}
