using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Millrace.Api.Errors;
using Millrace.Api.Limits;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Telemetry;
using Millrace.Storage;

namespace Millrace.Api.Http;

/// <summary>Gives every answer a request id, and every failure one of the listed codes in the family's shape; nothing of the inside leaves.</summary>
internal sealed class ErrorMiddleware(RequestDelegate next, AdmissionMetrics metrics, ILogger<ErrorMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        context.TraceIdentifier = RequestIds.Of(context.Request);
        context.Response.Headers["X-Request-Id"] = context.TraceIdentifier;
        try
        {
            await next(context);
            if (context.Response is { HasStarted: false, StatusCode: >= 400, ContentLength: null })
                await Problems.WriteAsync(context, FromStatus(context));
        }
        catch (Exception error) when (!context.Response.HasStarted)
        {
            if (context.RequestAborted.IsCancellationRequested)
                return; // nobody is there to read an answer
            var kept = Kept.Select(name => (name, context.Response.Headers[name])).ToArray();
            context.Response.Clear();
            foreach (var (name, value) in kept)
                context.Response.Headers[name] = value;
            var refusal = FromException(context, error);
            metrics.Note(refusal.Code);
            if (context.Features.Get<RequestTags>() is { } tags)
                tags.Code = ErrorCodes.All[refusal.Code].Name;
            await Problems.WriteAsync(context, refusal);
        }
    }

    /// <summary>Fields that hold for a failure too.</summary>
    private static readonly string[] Kept = ["X-Request-Id", "traceresponse", "Allow", "RateLimit-Policy", "RateLimit"];

    private static Refusal FromStatus(HttpContext context) => context.Response.StatusCode switch
    {
        404 => new Refusal(ErrorCode.NotFound, $"No route has the path {Printable(context.Request.Path)}; GET /docs lists the routes."),
        405 => new Refusal(ErrorCode.MethodNotAllowed, $"This path takes {context.Response.Headers.Allow}, not {Printable(context.Request.Method)}."),
        415 => new Refusal(ErrorCode.UnsupportedMediaType, "Send application/json."),
        413 => new Refusal(ErrorCode.PayloadTooLarge, "The body is too large."),
        < 500 => new Refusal(ErrorCode.InvalidRequest, "The request can't be read."),
        _ => new Refusal(ErrorCode.Internal, "Something went wrong here; it is logged with the request id."),
    };

    private Refusal FromException(HttpContext context, Exception error)
    {
        switch (error)
        {
            case RefusedException refused:
                return refused.Refusal;
            case BadHttpRequestException { StatusCode: 413 }:
                return new Refusal(ErrorCode.PayloadTooLarge, "The body is larger than this server takes.");
            case BadHttpRequestException:
                return new Refusal(ErrorCode.InvalidRequest, "The request can't be read to its end.");
            case StoreUnavailableException:
                logger.StoreUnavailable(context.TraceIdentifier, error.Message); // that it is away is told once, by its circuit
                return new Refusal(ErrorCode.Unavailable, "The job store can't be used now.") { RetryAfter = 2 };
            case BrokerUnavailableException:
                logger.BrokerUnavailable(context.TraceIdentifier, error.Message);
                return new Refusal(ErrorCode.Unavailable, "The queue can't be used now; a job is accepted all the same.") { RetryAfter = 2 };
            default:
                logger.RequestBroke(error, context.TraceIdentifier);
                return new Refusal(ErrorCode.Internal, "Something went wrong here; it is logged with the request id.");
        }
    }

    private static string Printable(string text) =>
        new(text.Take(200).Select(c => char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' ? '?' : c).ToArray());
}
