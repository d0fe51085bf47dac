namespace Millrace.Hosting.Telemetry;

/// <summary>Where traces go. What OpenTelemetry's own variables say (<c>OTEL_SERVICE_NAME</c>, <c>OTEL_RESOURCE_ATTRIBUTES</c>, <c>OTEL_EXPORTER_OTLP_HEADERS</c>) holds too.</summary>
public sealed class TracesOptions
{
    /// <summary>Address of an OTLP receiver: <c>http://collector:4317</c> for gRPC, <c>http://collector:4318/v1/traces</c> for HTTP. Empty: <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>, and without that no traces.</summary>
    public string Endpoint { get; set; } = "";

    /// <summary>Share of new traces that are recorded, decided at their first span; a caller's <c>traceparent</c> decides for its own. 0 to 1.</summary>
    public double SampleRatio { get; set; } = 0.1;
}
