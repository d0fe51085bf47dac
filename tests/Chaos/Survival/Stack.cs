using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Millrace.Tests.Support;

namespace Millrace.Chaos.Survival;

/// <summary>What <c>make up</c> starts, by the list that it writes.</summary>
internal sealed class Stack
{
    private static readonly string Folder = Path.Combine(Repository.Root, "artifacts", "survive");
    private readonly Dictionary<string, string> _environment;

    /// <param name="settings">As MILLRACE__WORKER__LEASE.</param>
    public Stack(int apis, int workers, params (string Name, string Value)[] settings)
    {
        _environment = settings.ToDictionary(s => s.Name, s => s.Value);
        (_environment["API"], _environment["WORKERS"], _environment["MODELS"], _environment["RUN_DIR"]) = (Text(apis), Text(workers), Repository.Models, Folder);
        // Beside one that somebody has up.
        (_environment["API_PORT"], _environment["WORKER_PORT"], _environment["BROKER_PORT"], _environment["STORE_PORT"]) = ("7810", "7820", "7830", "7840");
        if (Directory.Exists(Folder))
            Directory.Delete(Folder, recursive: true);
    }

    public IReadOnlyDictionary<string, ListedProcess> Processes { get; private set; } = new Dictionary<string, ListedProcess>();

    public string StoreUrl => Processes["postgres"].Url;

    public string BrokerUrl => Processes["rabbitmq"].Url;

    public HttpClient[] Apis() => Processes.Values.Where(p => p.Name.StartsWith("api-", StringComparison.Ordinal))
        .Select(p => new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 1000 }) { BaseAddress = new Uri(p.Url), Timeout = TimeSpan.FromSeconds(90) }).ToArray();

    /// <summary>Starts what does not run.</summary>
    public async Task UpAsync(int? workers = null)
    {
        if (workers is { } count)
            _environment["WORKERS"] = Text(count);
        await RunAsync("up.sh");
        var list = await File.ReadAllTextAsync(Path.Combine(Folder, "processes.json"));
        Processes = JsonSerializer.Deserialize<ListedProcess[]>(list, JsonSerializerOptions.Web)!.ToDictionary(p => p.Name);
    }

    public Task DownAsync() => RunAsync("down.sh");

    /// <summary>By SIGKILL; returns when it is gone.</summary>
    public async Task KillAsync(string name)
    {
        using var process = Process.GetProcessById(Processes[name].Pid);
        process.Kill();
        var state = $"/proc/{Processes[name].Pid}/stat";
        await Waiting.UntilAsync(async () => !File.Exists(state) || (await File.ReadAllTextAsync(state)).Contains(") Z", StringComparison.Ordinal), $"{name} is gone");
    }

    /// <summary>Removes all that the broker has stored; it must not run.</summary>
    public static void WipeBroker() => Directory.Delete(Path.Combine(Folder, "rabbitmq"), recursive: true);

    private async Task RunAsync(string script)
    {
        var start = new ProcessStartInfo("bash") { WorkingDirectory = Repository.Root, RedirectStandardOutput = true };
        start.ArgumentList.Add(Path.Combine(Repository.Root, "deploy", "local", script));
        foreach (var (name, value) in _environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync(); // not the end of its output: what it started has inherited that
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{script} ended with {process.ExitCode}.");
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    public sealed record ListedProcess(string Name, int Pid, string Url, string Log);
}
