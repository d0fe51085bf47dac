using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Millrace.Api.Limits;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Telemetry;
using Millrace.Storage;

namespace Millrace.Api.Errors;

/// <summary>What an exception is to the caller, in whichever family he is answered; nothing of the inside leaves.</summary>
internal sealed class Refusals(AdmissionMetrics metrics, ILogger<Refusals> logger)
{
    public Refusal Of(HttpContext context, Exception error)
    {
        var refusal = From(context, error);
        Note(context, refusal.Code);
        return refusal;
    }

    /// <summary>For metrics and log lines.</summary>
    public void Note(HttpContext context, ErrorCode code)
    {
        metrics.Note(code);
        if (context.Features.Get<RequestTags>() is { } tags)
            tags.Code = ErrorCodes.All[code].Name;
    }

    private Refusal From(HttpContext context, Exception error)
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
}
