using System.Globalization;

namespace Millrace.Tests.Support;

/// <summary>API and worker processes around a broker and a database, with a prefix and a schema of their own.</summary>
public sealed class Cluster(string brokerUrl, string storeUrl, string models) : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<MillraceProcess> _processes = [];
    private int _ledgers;

    /// <summary>Stands before every queue's name.</summary>
    public string Prefix { get; } = $"t{Guid.NewGuid():N}.";

    public string BrokerUrl => brokerUrl;

    public string StoreUrl => storeUrl;

    /// <summary>Settings of every process that is started from now on: short, so that what is lost is soon found.</summary>
    public List<string> Settings { get; } =
    [
        "Millrace:Worker:Lease=00:00:02", "Millrace:Worker:Backoff=00:00:00.050", "Millrace:Reconciler:Interval=00:00:00.500", "Millrace:Reconciler:RedispatchAfter=00:00:02",
        "Millrace:Dispatch:Interval=00:00:00.100", "Millrace:Broker:Heartbeat=00:00:05", "Millrace:Broker:PublishTimeout=00:00:02", "Millrace:Store:AllowNotDurable=true",
    ];

    /// <summary>In the order of their starts, those that died among them.</summary>
    public MillraceProcess[] Processes => [.. _processes];

    public Task<MillraceProcess> StartApiAsync(params string[] more) => StartAsync(MillraceProcess.Api, more);

    public Task<MillraceProcess> StartWorkerAsync(params string[] more) => StartAsync(MillraceProcess.Worker,
        [$"Millrace:Models:Path={models}", $"Millrace:Worker:RunLedger={Path.Combine(_folder.Path, string.Create(CultureInfo.InvariantCulture, $"ledger-{Interlocked.Increment(ref _ledgers)}"))}", .. more]);

    /// <summary>What all workers ran, also those that were killed.</summary>
    public IReadOnlyList<RunLine> Runs() => Directory.GetFiles(_folder.Path, "ledger-*").SelectMany(RunLine.Read).ToArray();

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
            await process.DisposeAsync();
        _folder.Dispose();
    }

    public static async Task ReadyAsync(MillraceProcess process) =>
        await Waiting.UntilAsync(async () => (await process.Management.FetchAsync("/health/ready")).Status == 200, "the process is ready", 60);

    private async Task<MillraceProcess> StartAsync(string program, string[] more)
    {
        var process = await MillraceProcess.StartAsync(program, [.. Settings.Concat(more), $"Millrace:Broker:Url={brokerUrl}", $"Millrace:Broker:Prefix={Prefix}", $"Millrace:Store:Url={storeUrl}"]);
        lock (_processes)
            _processes.Add(process);
        return process;
    }
}
