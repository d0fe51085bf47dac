using System.Net;
using System.Text.RegularExpressions;
using Millrace.Rollback.Releases;

namespace Millrace.Rollback;

/// <summary>What is rolled back, and who may ask for it. Only the rollback service reads these.</summary>
public sealed partial class RollbackOptions
{
    /// <summary>Address to listen on: <c>http://</c> and an IP address or <c>localhost</c>. Port 0 takes a free one.</summary>
    public string Url { get; set; } = "http://0.0.0.0:8080";

    /// <summary>What Alertmanager must send as <c>Authorization: Bearer</c>; at least 16 characters. Better a file of this name than a variable.</summary>
    public string Token { get; set; } = "";

    /// <summary>Address of the Kubernetes API. Empty: that of the cluster in which the service runs.</summary>
    public string ApiServer { get; set; } = "";

    /// <summary>Folder with the service account's <c>token</c> and <c>ca.crt</c>. The token is read for each call, since it is renewed.</summary>
    public string ServiceAccount { get; set; } = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// <summary>Namespace of everything named below.</summary>
    public string Namespace { get; set; } = "";

    /// <summary>Service whose selector <c>millrace/slot</c> says which slot gets the traffic.</summary>
    public string Service { get; set; } = "millrace-api";

    /// <summary>HorizontalPodAutoscaler of the slot with the traffic. Empty: there is none.</summary>
    public string Hpa { get; set; } = "millrace-api";

    /// <summary>ConfigMap with the record of the release: <c>active</c>, <c>previous</c>, <c>versions</c>.</summary>
    public string ConfigMap { get; set; } = "millrace-release";

    /// <summary>The API's two Deployments, by a comma; one ends in <c>-blue</c>, the other in <c>-green</c>.</summary>
    public string Deployments { get; set; } = "millrace-api-blue,millrace-api-green";

    /// <summary>Workers, by commas. Each name stands for the Deployments <c>NAME-blue</c> and <c>NAME-green</c> and for the ScaledObject <c>NAME</c>.</summary>
    public string Workers { get; set; } = "";

    /// <summary>How long after a rollback there is no other. 0 to 7 days.</summary>
    public TimeSpan Cooldown { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>How long the previous slot may take to be ready at full size, before anything is switched. 1 s to 10 min.</summary>
    public TimeSpan ReadyTimeout { get; set; } = TimeSpan.FromSeconds(60);

    internal IPEndPoint Listen => ListenAt(Url)!;

    internal IReadOnlyList<string> WorkerNames => Names(Workers);

    internal string Deployment(string slot) => Names(Deployments).Single(name => name.EndsWith($"-{slot}", StringComparison.Ordinal));

    /// <exception cref="SettingsException">One line that names every bad setting.</exception>
    public static RollbackOptions Read(IConfiguration configuration) => Settings.Read<RollbackOptions>(configuration, "Rollback", static options =>
    {
        options.Complete();
        return options.Faults();
    });

    /// <summary>What the cluster tells its pods.</summary>
    private void Complete()
    {
        if (ApiServer.Length == 0 && Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST") is { Length: > 0 } host)
            ApiServer = new UriBuilder("https", host, int.Parse(Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_PORT") ?? "443", System.Globalization.CultureInfo.InvariantCulture)).ToString();
        if (Namespace.Length == 0 && Path.Combine(ServiceAccount, "namespace") is var file && File.Exists(file))
            Namespace = File.ReadAllText(file).Trim();
    }

    private IEnumerable<string> Faults()
    {
        if (ListenAt(Url) is null)
            yield return $"Url: '{Url}' is not an address like http://0.0.0.0:8080";
        if (Token.Length < 16)
            yield return Token.Length == 0 ? "Token: not set; Alertmanager sends it as Authorization: Bearer" : "Token: shorter than 16 characters";
        if (!Uri.TryCreate(ApiServer, UriKind.Absolute, out var server) || server.Scheme is not ("http" or "https"))
            yield return ApiServer.Length == 0 ? "ApiServer: not set, and this is no pod of a cluster" : $"ApiServer: '{ApiServer}' is not an address like https://10.0.0.1:443";
        foreach (var (setting, name) in ((string, string)[])[("Namespace", Namespace), ("Service", Service), ("ConfigMap", ConfigMap)])
        {
            if (!Name().IsMatch(name))
                yield return name.Length == 0 ? $"{setting}: not set" : $"{setting}: '{name}' is not a name of Kubernetes";
        }
        if (Hpa.Length > 0 && !Name().IsMatch(Hpa))
            yield return $"Hpa: '{Hpa}' is not a name of Kubernetes";
        if (Names(Deployments) is not { Length: 2 } two || !two.All(n => Name().IsMatch(n)) || !Slots.All.All(slot => two.Count(n => n.EndsWith($"-{slot}", StringComparison.Ordinal)) == 1))
            yield return $"Deployments: '{Deployments}' is not two names, one that ends in -blue and one in -green";
        foreach (var worker in WorkerNames.Where(w => !Name().IsMatch(w)))
            yield return $"Workers: '{worker}' is not a name of Kubernetes";
        if (Cooldown < TimeSpan.Zero || Cooldown > TimeSpan.FromDays(7))
            yield return $"Cooldown: {Cooldown} is out of range; it must be from 00:00:00 to 7.00:00:00";
        if (ReadyTimeout < TimeSpan.FromSeconds(1) || ReadyTimeout > TimeSpan.FromMinutes(10))
            yield return $"ReadyTimeout: {ReadyTimeout} is out of range; it must be from 00:00:01 to 00:10:00";
    }

    private static string[] Names(string list) => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private static IPEndPoint? ListenAt(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var url) && url.Scheme == Uri.UriSchemeHttp && url.AbsolutePath == "/"
        && IPAddress.TryParse(url.IdnHost == "localhost" ? "127.0.0.1" : url.IdnHost.Trim('[', ']'), out var ip) ? new IPEndPoint(ip, url.Port) : null;

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
    private static partial Regex Name();
}

/// <summary>The process can't start, for a reason that its operator can mend. The message is one line that names the settings.</summary>
public sealed class SettingsException : Exception
{
    public SettingsException() { }
    public SettingsException(string message) : base(message) { }
    public SettingsException(string message, Exception inner) : base(message, inner) { }
}
