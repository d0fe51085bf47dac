using Microsoft.Extensions.Logging;

namespace Millrace.Hosting.Broker.Rabbit;

internal static partial class RabbitLog
{
    [LoggerMessage(1101, LogLevel.Warning, "Waiting for the broker ({Purpose}): {Reason}")]
    internal static partial void BrokerAway(this ILogger logger, string purpose, string reason);

    [LoggerMessage(1102, LogLevel.Information, "The broker is back ({Purpose})")]
    internal static partial void BrokerBack(this ILogger logger, string purpose);

    [LoggerMessage(1103, LogLevel.Warning, "Lost the connection to the broker ({Purpose}): {Reason}")]
    internal static partial void BrokerLost(this ILogger logger, string purpose, string reason);

    [LoggerMessage(1104, LogLevel.Warning, "The consumer of {Queue} is detached and will attach again: {Reason}")]
    internal static partial void ConsumerLost(this ILogger logger, string queue, string reason);

    [LoggerMessage(1105, LogLevel.Information, "The consumer of {Queue} is attached again")]
    internal static partial void ConsumerBack(this ILogger logger, string queue);

    [LoggerMessage(1106, LogLevel.Error, "Handling a message of {Queue} failed; it goes back to the queue")]
    internal static partial void HandlerFailed(this ILogger logger, Exception error, string queue);

    [LoggerMessage(1107, LogLevel.Warning, "A message of {Queue} can't be read and is set aside: {Reason}")]
    internal static partial void MessageUnreadable(this ILogger logger, string queue, string reason);

    [LoggerMessage(1108, LogLevel.Warning, "A reply could not be sent")]
    internal static partial void ReplyLost(this ILogger logger, Exception error);

    [LoggerMessage(1109, LogLevel.Warning, "The broker takes no messages ({Purpose}): {Reason}")]
    internal static partial void BrokerBlocks(this ILogger logger, string purpose, string reason);

    [LoggerMessage(1110, LogLevel.Information, "The broker takes messages again ({Purpose})")]
    internal static partial void BrokerUnblocks(this ILogger logger, string purpose);

    [LoggerMessage(1111, LogLevel.Warning, "The broker has {Queue} and does not serve it, so it is deleted and declared anew; what was in it is published again")]
    internal static partial void QueueUnserved(this ILogger logger, string queue);
}
