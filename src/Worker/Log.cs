using Microsoft.Extensions.Logging;
using Millrace.Storage.Jobs;

namespace Millrace.Worker;

internal static partial class Log
{
    [LoggerMessage(2001, LogLevel.Information, "Loaded model {Model} version {ModelVersion}: {Instances} instances, batches of up to {MaxBatchSize} rows")]
    internal static partial void ModelLoaded(this ILogger logger, string model, string modelVersion, int instances, int maxBatchSize);

    [LoggerMessage(2002, LogLevel.Warning, "Model {Model} version {ModelVersion} is unavailable: {Reason}")]
    internal static partial void ModelBroken(this ILogger logger, string model, string modelVersion, string reason);

    [LoggerMessage(2003, LogLevel.Warning, "Model folder '{Folder}' is left out: a name is 1 to 128 of A-Z a-z 0-9 . _ - with a letter or digit, not 'stats', and not another's in other case")]
    internal static partial void ModelNameRefused(this ILogger logger, string folder);

    [LoggerMessage(2004, LogLevel.Information, "Unloaded model {Model} version {ModelVersion}")]
    internal static partial void ModelUnloaded(this ILogger logger, string model, string modelVersion);

    [LoggerMessage(2005, LogLevel.Warning, "No model is served: {Reason}. It is ready when one comes")]
    internal static partial void NoModels(this ILogger logger, string reason);

    [LoggerMessage(2006, LogLevel.Warning, "The model repository can't be read now, and what is loaded serves on: {Reason}")]
    internal static partial void ScanFailed(this ILogger logger, string reason);

    [LoggerMessage(2007, LogLevel.Information, "Model {Model} version {ModelVersion} has {Instances} instances of {Threads} threads: more than the {Cores} cores")]
    internal static partial void MoreThanCores(this ILogger logger, string model, string modelVersion, int instances, int threads, int cores);

    [LoggerMessage(2101, LogLevel.Warning, "A batch of {Count} on {Model} version {ModelVersion} failed and runs again one by one: {Reason}")]
    private static partial void BatchSplit(this ILogger logger, int count, string model, string modelVersion, string reason);

    internal static void BatchSplit(this ILogger logger, string model, string version, int count, string reason) =>
        logger.BatchSplit(count, model, version, Execution.RunFailure.Clean(reason));

    [LoggerMessage(2102, LogLevel.Error, "A run of {Model} version {ModelVersion} broke in an unforeseen way")]
    internal static partial void RunBroke(this ILogger logger, Exception error, string model, string modelVersion);

    [LoggerMessage(2201, LogLevel.Warning, "Claiming jobs of {Model} failed and will be tried again")]
    internal static partial void ClaimFailed(this ILogger logger, Exception error, string model);

    [LoggerMessage(2204, LogLevel.Warning, "Claiming jobs of {Model} waits for the store: {Reason}")]
    internal static partial void ClaimWaits(this ILogger logger, string model, string reason);

    [LoggerMessage(2202, LogLevel.Warning, "Writing the ends of {Count} jobs waits for the store: {Reason}")]
    internal static partial void FinishFailed(this ILogger logger, int count, string reason);

    [LoggerMessage(2203, LogLevel.Error, "Writing the ends of {Count} jobs broke; their leases will end and they will run again")]
    internal static partial void FinishBroke(this ILogger logger, Exception error, int count);

    [LoggerMessage(2301, LogLevel.Warning, "Renewing {Count} leases failed and will be tried again")]
    internal static partial void RenewFailed(this ILogger logger, Exception error, int count);

    [LoggerMessage(2401, LogLevel.Warning, "Waiting for the database, to announce the models: {Reason}")]
    internal static partial void WaitingForStore(this ILogger logger, string reason);

    [LoggerMessage(2402, LogLevel.Information, "Announced, and consuming for {Count} models")]
    internal static partial void Attached(this ILogger logger, int count);

    [LoggerMessage(2403, LogLevel.Information, "Announced {Loaded} versions of models, and {Broken} that can't be loaded")]
    internal static partial void Announced(this ILogger logger, int loaded, int broken);

    [LoggerMessage(2404, LogLevel.Information, "Standing by with {Count} versions of models: it announces and consumes nothing (Millrace:Worker:Standby)")]
    internal static partial void StandsBy(this ILogger logger, int count);

    [LoggerMessage(2302, LogLevel.Warning, "Stopped the run of {JobId}: its lease ended without renewal")]
    internal static partial void LeaseLost(this ILogger logger, JobId jobId);
}
