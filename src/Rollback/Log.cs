namespace Millrace.Rollback;

internal static partial class Log
{
    [LoggerMessage(6001, LogLevel.Warning, "Rolling back from {From} ({FromVersion}) to {To} ({ToVersion}) because of {Alert}")]
    internal static partial void RollingBack(this ILogger logger, string from, string fromVersion, string to, string toVersion, string alert);

    [LoggerMessage(6002, LogLevel.Information, "Step {Step}")]
    internal static partial void Step(this ILogger logger, string step);

    [LoggerMessage(6003, LogLevel.Warning, "Rolled back to {To} ({ToVersion})")]
    internal static partial void RolledBack(this ILogger logger, string to, string toVersion);

    [LoggerMessage(6004, LogLevel.Information, "Not rolled back: {Reason}. {Detail}")]
    internal static partial void Refused(this ILogger logger, string reason, string detail);

    [LoggerMessage(6005, LogLevel.Error, "Not rolled back, and nothing is switched: {Deployment} was not ready with {Replicas} pods within {Limit}")]
    internal static partial void NeverReady(this ILogger logger, string deployment, int replicas, TimeSpan limit);

    [LoggerMessage(6006, LogLevel.Error, "Could not roll back, will be tried again: {Reason}")]
    internal static partial void Failed(this ILogger logger, string reason);

    [LoggerMessage(6007, LogLevel.Warning, "Going on with the rollback from {From} to {To} that began at {StartedAt}")]
    internal static partial void GoingOn(this ILogger logger, string from, string to, DateTimeOffset startedAt);

    [LoggerMessage(6008, LogLevel.Warning, "Dropped a rollback that had begun: the release has changed since")]
    internal static partial void Dropped(this ILogger logger);

    [LoggerMessage(6009, LogLevel.Warning, "{Deployment} has no ready pod after {Limit}; its queue waits until it has")]
    internal static partial void WorkersLate(this ILogger logger, string deployment, TimeSpan limit);

    [LoggerMessage(6010, LogLevel.Debug, "A request without the token was refused")]
    internal static partial void Unauthorized(this ILogger logger);
}
