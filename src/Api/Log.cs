using Microsoft.Extensions.Logging;
using Millrace.Storage.Jobs;

namespace Millrace.Api;

internal static partial class Log
{
    [LoggerMessage(3001, LogLevel.Error, "Request {RequestId} broke in an unforeseen way")]
    internal static partial void RequestBroke(this ILogger logger, Exception error, string requestId);

    [LoggerMessage(3002, LogLevel.Debug, "The store could not be used for request {RequestId}: {Reason}")]
    internal static partial void StoreUnavailable(this ILogger logger, string requestId, string reason);

    [LoggerMessage(3003, LogLevel.Debug, "The broker could not be used for request {RequestId}: {Reason}")]
    internal static partial void BrokerUnavailable(this ILogger logger, string requestId, string reason);

    [LoggerMessage(3004, LogLevel.Debug, "{Method} {Route} was answered with {Status} {Code} after {DurationMs} ms")]
    internal static partial void RequestEnded(this ILogger logger, string method, string route, int status, string code, double durationMs);

    [LoggerMessage(3101, LogLevel.Warning, "Took job {JobId} back from {WorkerId}: lease ended in attempt {Attempt}; it is now {State}")]
    internal static partial void LeaseExpired(this ILogger logger, JobId jobId, string? workerId, int attempt, JobState state);

    [LoggerMessage(3102, LogLevel.Debug, "Job {JobId} passed its expires_at and is now {State}")]
    internal static partial void JobExpired(this ILogger logger, JobId jobId, JobState state);

    [LoggerMessage(3103, LogLevel.Information, "Published {Count} tickets of {Model} again: {Dispatched} jobs are dispatched and {Present} tickets were there")]
    internal static partial void TicketsRepublished(this ILogger logger, int count, string model, int dispatched, int present);

    [LoggerMessage(3201, LogLevel.Debug, "A late reply for {RequestId}: nobody waits for it any more")]
    internal static partial void LateReply(this ILogger logger, Guid requestId);

    [LoggerMessage(3202, LogLevel.Warning, "A pack of {Count} requests to {Model} got no reply")]
    internal static partial void PackFailed(this ILogger logger, Exception error, int count, string model);

    [LoggerMessage(3203, LogLevel.Warning, "{Count} tickets of new jobs could not be published; the reconciler will do it: {Reason}")]
    internal static partial void TicketsFailed(this ILogger logger, int count, string reason);

    [LoggerMessage(3301, LogLevel.Warning, "A message of {Queue} was set aside: {Reason}")]
    internal static partial void DeadLetterKept(this ILogger logger, string queue, string reason);

    [LoggerMessage(3401, LogLevel.Warning, "A rate limit can't be leased from the store, so this replica counts for itself: {Reason}")]
    internal static partial void RateStoreAway(this ILogger logger, string reason);

    [LoggerMessage(3501, LogLevel.Warning, "Version {Version} of {Model} gets no more calls that name no version: {Reason}. POST /v1/traffic/{Model}/versions/{Version}/release puts it back")]
    internal static partial void HeldBack(this ILogger logger, string version, string model, string reason);
}
