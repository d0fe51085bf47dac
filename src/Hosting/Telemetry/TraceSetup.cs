using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Hosting.Configuration;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using static Millrace.Hosting.Configuration.SettingsExtensions;

namespace Millrace.Hosting.Telemetry;

internal static class TraceSetup
{
    private const string HttpPath = "/v1/traces";

    /// <summary>Traces to an OTLP receiver, where one is named; else none are made.</summary>
    public static void SetUpTraces(this WebApplicationBuilder builder, string process)
    {
        builder.Services.AddSettings("Traces",
            new SettingRule<TracesOptions>("Endpoint", o => o.Endpoint.Length == 0 || IsEndpoint(o.Endpoint), o => $"'{o.Endpoint}' is not an address like http://collector:4317"),
            Range<TracesOptions, double>("SampleRatio", o => o.SampleRatio, 0, 1));
        var endpoint = builder.Configuration[$"{Root}:Traces:Endpoint"] is { Length: > 0 } own ? own : builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"];
        if (string.IsNullOrEmpty(endpoint) || !IsEndpoint(endpoint))
            return; // or the check of the settings says what is wrong
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService($"millrace-{process}", serviceVersion: ProcessMetrics.Built().Version).AddEnvironmentVariableDetector())
            .WithTracing(traces => traces.AddSource(Spans.SourceName)
                .AddAspNetCoreInstrumentation(http => http.Filter = context => context.Features.Get<RequestTags>() is not null || !context.Request.Path.StartsWithSegments("/health"))
                .SetSampler(services => new ParentBasedSampler(new TraceIdRatioBasedSampler(services.GetRequiredService<TracesOptions>().SampleRatio)))
                .AddOtlpExporter(otlp =>
                {
                    otlp.Endpoint = new Uri(endpoint);
                    otlp.Protocol = otlp.Endpoint.AbsolutePath == HttpPath ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
                }));
    }

    private static bool IsEndpoint(string address) => Uri.TryCreate(address, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.AbsolutePath is "/" or HttpPath;
}
