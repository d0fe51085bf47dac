using System.Text.Json.Serialization;

namespace Millrace.Rollback.Alerts;

/// <summary>What Alertmanager sends, as far as it matters here. Source: Prometheus, Alertmanager's configuration, webhook_config, version 4.</summary>
internal sealed record Notification
{
    [JsonRequired]
    public IReadOnlyList<Alert> Alerts { get; init; } = [];

    /// <summary>The reader lets null stand among items and values.</summary>
    public bool IsWhole => Alerts.All(a => a is { Labels.Values: var labels } && labels.All(l => l is not null));
}

internal sealed record Alert
{
    [JsonRequired]
    public string Status { get; init; } = "";

    [JsonRequired]
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Empty when it has none of this name.</summary>
    public string Label(string name) => Labels.GetValueOrDefault(name, "");
}

/// <param name="Acted">Whether the traffic moved.</param>
internal sealed record Answer(bool Acted, string Reason, string Detail);
