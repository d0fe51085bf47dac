using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Millrace.Api.Errors;
using Millrace.Api.Grpc;
using Millrace.Api.Limits;
using Millrace.Hosting.Telemetry;
using Prometheus;

namespace Millrace.Api.Telemetry;

/// <summary>Counts and times each request, around all that may refuse it.</summary>
internal sealed class RequestMeasure(RequestDelegate next, RequestMetrics metrics, TimeProvider time, ILoggerFactory loggers)
{
    private readonly ILogger _log = loggers.CreateLogger("Millrace.Api.Requests");

    public async Task InvokeAsync(HttpContext context)
    {
        var tags = new RequestTags();
        context.Features.Set(tags);
        if (Spans.Current is { } span)
            context.Response.Headers["traceresponse"] = Spans.Text(span); // W3C Trace Context Level 2: so that a client finds the trace of a call
        var began = time.GetTimestamp();
        try { await next(context); }
        finally
        {
            var took = time.GetElapsedTime(began);
            var status = context.RequestAborted.IsCancellationRequested && !context.Response.HasStarted ? StatusCodes.Status499ClientClosedRequest
                : GrpcAnswer.HttpStatus(context) ?? context.Response.StatusCode;
            var lane = Lane(context);
            if (!IsProbe(context)) // probes say nothing of what clients see
                metrics.Answered(lane, tags, status, took);
            _log.RequestEnded(context.Request.Method, context.GetEndpoint() is RouteEndpoint route ? route.RoutePattern.RawText ?? "" : "none", status, tags.Code ?? "", took.TotalMilliseconds);
        }
    }

    private static bool IsProbe(HttpContext context) => context.Request.Path.StartsWithSegments("/v2/health") || context.Request.Path.StartsWithSegments("/grpc.health.v1.Health");

    private static string Lane(HttpContext context) => context.Features.Get<InFlight.Place>() is { Waits: true } && !GrpcAnswer.IsFor(context.Request) ? "wait" : context.GetEndpoint()?.Metadata.GetMetadata<IEndpointNameMetadata>()?.EndpointName switch
    {
        "Infer" or "InferVersion" => context.Response.StatusCode == StatusCodes.Status202Accepted ? "submit" : "sync",
        GrpcEndpoints.InferName => "sync",
        "SubmitJob" or "ReplayJob" => "submit",
        _ => "other",
    };
}

/// <summary>Requests by what they were and how they ended.</summary>
internal sealed class RequestMetrics(Instruments instruments)
{
    /// <summary>We refused it for load: it says nothing of whether this version is a good one.</summary>
    private static readonly FrozenSet<string> Shed = new[] { ErrorCode.QueueFull, ErrorCode.Overloaded, ErrorCode.ShuttingDown }.Select(c => ErrorCodes.All[c].Name).ToFrozenSet();

    private readonly Counter _requests = instruments.Counter("millrace_http_requests_total",
        "Requests by lane (sync, submit, wait for a job's end, other), model (empty where there is none), HTTP status (499: the client left; of gRPC the one that its status stands for) and whether they were refused for load.", "lane", "model", "code", "shed");
    private readonly Histogram _seconds = instruments.Histogram("millrace_http_request_duration_seconds",
        "From a request's head to the end of its answer; refusals (429, 503) are counted and not timed, or they would make an overload look fast.", Buckets.Requests, "lane", "model");

    public void Answered(string lane, RequestTags tags, int status, TimeSpan took)
    {
        _requests.WithLabels(lane, tags.Model ?? "", Text(status), tags.Code is { } code && Shed.Contains(code) ? "true" : "false").Inc();
        if (status is not (StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable
            or StatusCodes.Status499ClientClosedRequest))
            _seconds.WithLabels(lane, tags.Model ?? "").Observe(took.TotalSeconds);
    }

    private static string Text(int status) => status switch
    {
        200 => "200",
        202 => "202",
        _ => status.ToString(System.Globalization.CultureInfo.InvariantCulture),
    };
}
