using Microsoft.Extensions.Logging;

namespace Millrace.Hosting;

internal static partial class Log
{
    [LoggerMessage(1001, LogLevel.Warning, "{Pass} failed and will run again")]
    internal static partial void PassFailed(this ILogger logger, Exception error, string pass);

    [LoggerMessage(1006, LogLevel.Warning, "{Pass} waits: {Reason}")]
    internal static partial void PassWaits(this ILogger logger, string pass, string reason);

    [LoggerMessage(1002, LogLevel.Information, "Stopping: no new work; up to {Limit} for what runs")]
    internal static partial void Draining(this ILogger logger, TimeSpan limit);

    [LoggerMessage(1003, LogLevel.Warning, "Stopping: {Left} pieces of work did not end within {Limit}; jobs among them go back to the queue")]
    internal static partial void DrainTimedOut(this ILogger logger, int left, TimeSpan limit);

    [LoggerMessage(1004, LogLevel.Warning, "Waiting for the database: {Reason}")]
    internal static partial void StoreAway(this ILogger logger, string reason);

    [LoggerMessage(1007, LogLevel.Warning, "The circuit around the {Name} is open: {Reason}")]
    internal static partial void CircuitOpened(this ILogger logger, string name, string reason);

    [LoggerMessage(1008, LogLevel.Information, "The circuit around the {Name} is closed again")]
    internal static partial void CircuitClosed(this ILogger logger, string name);

    [LoggerMessage(1005, LogLevel.Information, "The database is there")]
    internal static partial void StoreBack(this ILogger logger);

    [LoggerMessage(1010, LogLevel.Warning, "Chaos was ordered: {Kind} at the {Target}, rate {Rate}, latency {LatencyMs} ms, for {Seconds} s")]
    internal static partial void ChaosOrdered(this ILogger logger, string target, string kind, double rate, int latencyMs, int seconds);

    [LoggerMessage(1009, LogLevel.Information, "Listening on {Url}; metrics and health on {ManagementUrl}")]
    internal static partial void Listening(this ILogger logger, string url, string managementUrl);

    [LoggerMessage(1011, LogLevel.Information, "Listening for gRPC on {GrpcUrl}")]
    internal static partial void ListeningForGrpc(this ILogger logger, string grpcUrl);
}
