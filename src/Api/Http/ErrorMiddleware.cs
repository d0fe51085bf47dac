using Microsoft.AspNetCore.Http;
using Millrace.Api.Errors;
using Millrace.Api.Grpc;

namespace Millrace.Api.Http;

/// <summary>Gives every answer a request id, and every failure one of the listed codes in the family's shape; nothing of the inside leaves.</summary>
internal sealed class ErrorMiddleware(RequestDelegate next, Refusals refusals)
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
            await Problems.WriteAsync(context, refusals.Of(context, error));
        }
    }

    /// <summary>Fields that hold for a failure too.</summary>
    private static readonly string[] Kept = ["X-Request-Id", "traceresponse", "Allow", "RateLimit-Policy", "RateLimit"];

    private static Refusal FromStatus(HttpContext context) => context.Response.StatusCode switch
    {
        404 when GrpcAnswer.IsFor(context.Request) => new Refusal(ErrorCode.NotImplemented, $"There is no method {Printable(context.Request.Path)}."),
        404 => new Refusal(ErrorCode.NotFound, $"No route has the path {Printable(context.Request.Path)}; GET /docs lists the routes."),
        405 => new Refusal(ErrorCode.MethodNotAllowed, $"This path takes {context.Response.Headers.Allow}, not {Printable(context.Request.Method)}."),
        415 => new Refusal(ErrorCode.UnsupportedMediaType, "Send application/json."),
        413 => new Refusal(ErrorCode.PayloadTooLarge, "The body is too large."),
        < 500 => new Refusal(ErrorCode.InvalidRequest, "The request can't be read."),
        _ => new Refusal(ErrorCode.Internal, "Something went wrong here; it is logged with the request id."),
    };

    private static string Printable(string text) =>
        new(text.Take(200).Select(c => char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' ? '?' : c).ToArray());
}
