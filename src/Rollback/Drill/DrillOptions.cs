using System.Text.Json;
using System.Text.Json.Nodes;

namespace Millrace.Rollback.Drill;

/// <summary>What the command <c>drill</c> of the rollback program makes go wrong, and where it looks.</summary>
public sealed class DrillOptions
{
    /// <summary>Address of the API's Service.</summary>
    public string Api { get; set; } = "";

    /// <summary>Key for the API with the roles admin, operate, submit and read, and a limit of 1000 requests a minute. Better a file of this name than a variable.</summary>
    public string Key { get; set; } = "";

    /// <summary>Address of Prometheus.</summary>
    public string Prometheus { get; set; } = "";

    /// <summary>Address of the rollback service, for its <c>/metrics</c>.</summary>
    public string Rollback { get; set; } = "";

    /// <summary>Only series and alerts with this label <c>namespace</c>. Empty: all.</summary>
    public string Namespace { get; set; } = "";

    /// <summary><c>Millrace:Chaos:Scope</c> of the processes that are to fail. Empty: the label <c>slot</c> of the API that answers most requests.</summary>
    public string Scope { get; set; } = "";

    /// <summary>Submission of a job, as JSON. Its <c>inference</c> is also called synchronously.</summary>
    public string Job { get; set; } = "";

    /// <summary>On later days of a month nothing is done, and that is well: cron can't say "first Monday". 1 to 31.</summary>
    public int LastDay { get; set; } = 7;

    /// <summary>How long faults and what they are to bring about may take. Jobs have 3 min more to end. 1 s to 50 min.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(25);

    /// <summary>How long one thing is waited for. An alert over 5 min needs as long to clear. 1 s to 20 min.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromMinutes(7);

    /// <summary>How long there is load before the first fault. 0 to 10 min.</summary>
    public TimeSpan Warmup { get; set; } = TimeSpan.FromSeconds(90);

    /// <summary>Between two requests of the load, a job and a call by turns. 10 ms to 2 s, as fewer are too few for an alert.</summary>
    public TimeSpan Pace { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Between two looks at what is waited for. 10 ms to 1 min.</summary>
    public TimeSpan Poll { get; set; } = TimeSpan.FromSeconds(2);

    internal string Model => (string)JsonNode.Parse(Job)!["model"]!;

    internal string Inference => JsonNode.Parse(Job)!["inference"]!.ToJsonString();

    /// <exception cref="SettingsException">One line that names every bad setting.</exception>
    public static DrillOptions Read(IConfiguration configuration) => Settings.Read<DrillOptions>(configuration, "Drill", static options => options.Faults());

    private IEnumerable<string> Faults()
    {
        foreach (var (setting, address) in ((string, string)[])[("Api", Api), ("Prometheus", Prometheus), ("Rollback", Rollback)])
        {
            if (!Uri.TryCreate(address, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
                yield return address.Length == 0 ? $"{setting}: not set" : $"{setting}: '{address}' is not an address like http://millrace-api:8080";
        }
        if (!IsJob(Job))
            yield return Job.Length == 0 ? "Job: not set" : "Job: is not JSON with model and inference";
        if (Namespace.AsSpan().ContainsAny('"', '\\', '\n'))
            yield return "Namespace: is not a name of Kubernetes";
        if (LastDay is < 1 or > 31)
            yield return $"LastDay: {LastDay} is out of range; it must be from 1 to 31";
        foreach (var (setting, value, least, most) in ((string, TimeSpan, TimeSpan, TimeSpan)[])[
            ("Timeout", Timeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(50)), ("Patience", Patience, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(20)),
            ("Warmup", Warmup, TimeSpan.Zero, TimeSpan.FromMinutes(10)), ("Pace", Pace, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(2)),
            ("Poll", Poll, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1))])
        {
            if (value < least || value > most)
                yield return $"{setting}: {value} is out of range; it must be from {least} to {most}";
        }
    }

    private static bool IsJob(string job)
    {
        try { return JsonNode.Parse(job) is JsonObject o && o["model"] is JsonValue model && model.TryGetValue<string>(out _) && o["inference"] is JsonObject; }
        catch (JsonException) { return false; }
    }
}
