using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Configuration;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Extensions.Logging;

namespace Millrace.Hosting.Telemetry;

internal static class LogSetup
{
    /// <summary>One line an event on standard output, by Serilog; which events, <c>Logging:LogLevel</c> says.</summary>
    public static void SetUpLogs(this WebApplicationBuilder builder)
    {
        builder.Services.AddSettings("Logs", new SettingRule<LogsOptions>("Format", o => LogsOptions.IsFormat(o.Format), o => $"'{o.Format}' must be auto, json or text"));
        builder.Services.AddHttpContextAccessor(); // what the enricher reads
        var json = LogsOptions.IsJson(builder.Configuration[$"{SettingsExtensions.Root}:Logs:Format"]);
        var logs = new LoggerConfiguration().MinimumLevel.Verbose().Enrich.With<RequestFields>()
            .WriteTo.Console(json ? new JsonLines() : new TextLines()).CreateLogger();
        builder.Logging.ClearProviders();
        builder.Logging.AddProvider(new SerilogLoggerProvider(logs, dispose: true)); // AddSerilog would let every level through
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None); // who asks for health reads the answer
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None); // a failed start is told in one line of ours
    }

    /// <summary>Whatever is logged while a request is handled tells whose request it was.</summary>
    private sealed class RequestFields : ILogEventEnricher
    {
        private static readonly HttpContextAccessor Accessor = new();

        public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
        {
            if (Accessor.HttpContext?.Features.Get<RequestTags>() is not { } tags)
                return;
            logEvent.AddOrUpdateProperty(new LogEventProperty("RequestId", new ScalarValue(Accessor.HttpContext.TraceIdentifier))); // as the client sees it
            foreach (var (name, value) in tags.Fields())
                logEvent.AddPropertyIfAbsent(new LogEventProperty(name, new ScalarValue(value)));
        }
    }
}

/// <summary>What a request turned out to be, for its metrics and log lines: the middleware sets it, whoever learns more fills it in.</summary>
public sealed class RequestTags
{
    public string? UserId { get; set; }
    public string? Tenant { get; set; }

    /// <summary>A model that exists; what a client merely named does not belong here.</summary>
    public string? Model { get; set; }
    public string? ModelVersion { get; set; }
    public string? JobId { get; set; }

    /// <summary>Of the listed error codes.</summary>
    public string? Code { get; set; }

    internal IEnumerable<(string Name, string Value)> Fields()
    {
        (string Name, string? Value)[] all = [("UserId", UserId), ("Tenant", Tenant), ("Model", Model), ("ModelVersion", ModelVersion), ("JobId", JobId)];
        return all.Where(f => f.Value is not null).Select(f => (f.Name, f.Value!));
    }
}
