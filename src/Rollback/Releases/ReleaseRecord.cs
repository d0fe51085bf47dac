using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Millrace.Rollback.Kubernetes;

namespace Millrace.Rollback.Releases;

/// <summary>The ConfigMap that says which slot is active. Every write is guarded by the resourceVersion that was read: it is the lock.</summary>
internal sealed class ReleaseRecord(KubernetesApi api, RollbackOptions options)
{
    private readonly string _path = $"/api/v1/namespaces/{options.Namespace}/configmaps/{options.ConfigMap}";

    /// <exception cref="ReleaseException">It is there and says nothing that could be followed.</exception>
    public async Task<Release> ReadAsync(CancellationToken cancellation) => Parse(await api.GetAsync(_path, cancellation));

    /// <summary>Writes that this rollback has begun, or has got further.</summary>
    /// <exception cref="KubernetesException">A conflict: somebody wrote since.</exception>
    public async Task<Release> WriteAsync(Release read, Plan plan, CancellationToken cancellation) =>
        Parse(await PatchAsync(read, new JsonObject { ["rollingBack"] = JsonSerializer.Serialize(plan, RollbackJson.Default.Plan) }, cancellation));

    /// <summary>Writes that it is done. There is no previous slot then: the other one holds the release that was bad, and a second rollback would bring it back.</summary>
    public Task FinishAsync(Release read, Plan plan, DateTimeOffset now, CancellationToken cancellation) => PatchAsync(read, new JsonObject
    {
        ["active"] = plan.To,
        ["previous"] = "",
        ["since"] = Text(now),
        ["lastRollback"] = Text(now),
        ["reason"] = $"{plan.Alert}: rolled back from {plan.FromVersion}",
        ["rollingBack"] = null,
    }, cancellation);

    /// <summary>Gives the lock back; nothing was switched.</summary>
    public Task DropAsync(Release read, CancellationToken cancellation) => PatchAsync(read, new JsonObject { ["rollingBack"] = null }, cancellation);

    private Task<JsonObject> PatchAsync(Release read, JsonObject data, CancellationToken cancellation) =>
        api.MergeAsync(_path, new JsonObject { ["metadata"] = new JsonObject { ["resourceVersion"] = read.ResourceVersion }, ["data"] = data }, cancellation);

    private Release Parse(JsonObject configMap)
    {
        var data = configMap["data"] as JsonObject ?? [];
        string Value(string key) => (string?)data[key] ?? "";
        try
        {
            return new Release(
                (string)configMap["metadata"]!["resourceVersion"]!,
                Slots.MustBe(Value("active")),
                Value("previous") is { Length: > 0 } previous ? Slots.MustBe(previous) : "",
                Value("versions") is { Length: > 0 } versions ? JsonSerializer.Deserialize(versions, RollbackJson.Default.DictionaryStringString)! : [],
                Value("lastRollback") is { Length: > 0 } last ? DateTimeOffset.Parse(last, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal) : null,
                Value("rollingBack") is { Length: > 0 } plan ? JsonSerializer.Deserialize(plan, RollbackJson.Default.Plan) : null);
        }
        catch (Exception error) when (error is JsonException or FormatException) { throw new ReleaseException($"ConfigMap {options.ConfigMap} can't be read: {error.Message}", error); }
    }

    private static string Text(DateTimeOffset at) => at.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
}

/// <summary>What the ConfigMap says.</summary>
/// <param name="Previous">The slot to go back to; empty when there is none.</param>
/// <param name="Versions">Of each slot; a JSON object in the ConfigMap.</param>
/// <param name="RollingBack">A rollback that has begun and not ended.</param>
internal sealed record Release(string ResourceVersion, string Active, string Previous, Dictionary<string, string> Versions, DateTimeOffset? LastRollback, Plan? RollingBack)
{
    public string Version(string slot) => Versions.GetValueOrDefault(slot, "");
}

/// <summary>All that a rollback needs to be carried out, by whomever: it is written before its first step, so that whoever comes after a crash does the same.</summary>
internal sealed record Plan
{
    public required string From { get; init; }
    public required string To { get; init; }
    public required string FromVersion { get; init; }
    public required string ToVersion { get; init; }

    /// <summary>Pods of the active slot when it began, so of the previous one when it ends.</summary>
    public required int Replicas { get; init; }

    /// <summary>Pods that the previous slot had.</summary>
    public required int Before { get; init; }

    /// <summary>Pods of each worker's active slot when it began.</summary>
    public required Dictionary<string, int> Workers { get; init; }

    public required string Alert { get; init; }
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>From here on there is no way back.</summary>
    public bool Switching { get; init; }

    /// <summary>Whether the release is still the one for which it was made; a deployment may have come between.</summary>
    public bool IsStillFor(Release release) => release.Active == From && release.Version(From) == FromVersion && release.Version(To) == ToVersion;
}

internal sealed class ReleaseException(string message, Exception? inner = null) : Exception(message, inner);
