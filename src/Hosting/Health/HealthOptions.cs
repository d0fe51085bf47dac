using Microsoft.Extensions.DependencyInjection;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Startup;

namespace Millrace.Hosting.Health;

/// <summary>Where a process without an interface of its own answers for its health.</summary>
public sealed class HealthOptions
{
    /// <summary>Address, <c>http://</c> and an IP address or <c>localhost</c>, of a worker's <c>/v2/health/live</c> and <c>/v2/health/ready</c>. Port 0 takes a free one, which the worker prints. Only the worker as a process of its own reads it.</summary>
    public string Url { get; set; } = "http://127.0.0.1:0";
}

public static class HealthSettings
{
    public static IServiceCollection AddHealthSettings(this IServiceCollection services) => services.AddSettings("Health",
        new SettingRule<HealthOptions>("Url", o => ListenAddress.IsValid(o.Url), o => $"'{o.Url}' is not an address like http://127.0.0.1:9081"));
}
