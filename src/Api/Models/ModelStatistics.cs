using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Storage.Models;

namespace Millrace.Api.Models;

/// <summary>What versions did since they were first there, on all workers; each reports once a second.</summary>
internal sealed class ModelStatistics(ModelCatalog catalog, IModelStore store)
{
    /// <param name="model">Null for all that the tenant sees.</param>
    /// <param name="version">Null for all of the model, those too that are gone.</param>
    /// <exception cref="RefusedException">404 when it is unknown.</exception>
    public async Task<IReadOnlyList<VersionStatistics>> ReadAsync(string tenant, string? model, string? version, CancellationToken cancellation)
    {
        var counted = (await store.ReadStatisticsAsync(cancellation)).ToLookup(s => s.Model);
        if (model is null)
            return catalog.VisibleTo(tenant).SelectMany(m => Of(m, counted[m.Name])).ToArray();
        var known = catalog.Known(tenant, model, null);
        var all = Of(catalog.Find(known.Model)!, counted[known.Model]);
        if (version is null)
            return all.ToArray();
        return [all.FirstOrDefault(s => s.Version == version) ?? throw new RefusedException(ErrorCode.ModelNotFound, $"Model {model} has no such version; it has {string.Join(", ", all.Select(s => s.Version))}.")];
    }

    /// <summary>A version that nobody has called yet has counted nothing.</summary>
    private static IEnumerable<VersionStatistics> Of(ServedModel model, IEnumerable<VersionStatistics> counted)
    {
        var all = counted.ToList();
        all.AddRange(model.Versions.Where(v => !all.Exists(s => s.Version == v.Version)).Select(v => new VersionStatistics { Model = v.Model, Version = v.Version }));
        return all.OrderBy(s => s.Version.Length).ThenBy(s => s.Version, StringComparer.Ordinal);
    }
}

/// <remarks>Source: Triton's statistics extension.</remarks>
public sealed record StatisticsList(IReadOnlyList<StatisticsView> ModelStats);

/// <param name="LastInference">Milliseconds since 1970; 0 for never.</param>
/// <param name="InferenceCount">Rows, or requests of a model that is not batched.</param>
/// <param name="ExecutionCount">Runs.</param>
/// <param name="ResponseStats">Of models with several answers to a request, which there are none of.</param>
public sealed record StatisticsView(
    string Name, string Version, long LastInference, long InferenceCount, long ExecutionCount, InferenceStatistics InferenceStats, IReadOnlyList<BatchStatisticsView> BatchStats,
    IReadOnlyDictionary<string, string> ResponseStats, IReadOnlyList<MemoryUsage> MemoryUsage)
{
    internal static StatisticsView From(VersionStatistics version) => new(
        version.Model, version.Version, version.LastInference, version.InferenceCount, version.ExecutionCount,
        new InferenceStatistics(version.Success, version.Fail, version.Queue, version.ComputeInput, version.ComputeInfer, version.ComputeOutput, default, default),
        version.Batches.Select(b => new BatchStatisticsView(b.BatchSize, b.ComputeInput, b.ComputeInfer, b.ComputeOutput)).ToArray(),
        new Dictionary<string, string>(), version.MemoryBytes > 0 ? [new MemoryUsage("CPU", 0, version.MemoryBytes)] : []);
}

/// <summary>Times in nanoseconds. Nothing is cached here, so the last two are 0.</summary>
public sealed record InferenceStatistics(
    CountAndTime Success, CountAndTime Fail, CountAndTime Queue, CountAndTime ComputeInput, CountAndTime ComputeInfer, CountAndTime ComputeOutput, CountAndTime CacheHit, CountAndTime CacheMiss);

/// <param name="BatchSize">Rows of a run.</param>
public sealed record BatchStatisticsView(int BatchSize, CountAndTime ComputeInput, CountAndTime ComputeInfer, CountAndTime ComputeOutput);

/// <param name="ByteSize">In one worker.</param>
public sealed record MemoryUsage(string Type, long Id, long ByteSize);

internal static class ReadStatistics
{
    public static async Task HandleAsync(HttpContext context, ModelStatistics statistics)
    {
        var read = await statistics.ReadAsync(context.Tenant(), context.Request.RouteValues["model"] as string, ModelEndpoints.VersionOf(context), context.RequestAborted);
        await JsonBody.WriteAsync(context, new StatisticsList(read.Select(StatisticsView.From).ToArray()), ApiJson.Default.StatisticsList);
    }
}
