using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Millrace.Hosting.Configuration;

/// <summary>Refuses sections below <c>Millrace</c> that no part reads: a misspelt name must not be ignored in silence.</summary>
internal sealed class SettingsCheck(IConfiguration configuration, IEnumerable<SettingsSection> sections) : IHostedService
{
    /// <summary>Sections of programs that may share their settings with this one.</summary>
    private static readonly string[] Elsewhere = ["Http", "Grpc", "Access", "Limits", "RateLimit", "Backlog", "Sync", "Dispatch", "Reconciler", "Models", "Worker"];

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var known = sections.Select(s => s.Name).Concat(Elsewhere).ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var child in configuration.GetSection(SettingsExtensions.Root).GetChildren())
        {
            if (!known.Contains(child.Key))
                throw new StartupException($"{child.Path}: there is no such section of settings; known: {string.Join(", ", known.Order())}");
        }
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
