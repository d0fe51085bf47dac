using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using System.Globalization;
using Millrace.Bench;
using Millrace.Standalone;

namespace Millrace.Engine;

/// <summary>What a request allocates, by type: the whole server in this process, whose runtime tells of every hundredth kilobyte or so. The clients' sockets allocate next to nothing.</summary>
internal static class Allocations
{
    private const int Most = 12;

    /// <param name="request">Head and body, ready to send.</param>
    public static async Task PrintAsync(string name, byte[] request, int clients, TimeSpan time, Func<HttpClient, Task>? drain = null)
    {
        var data = Directory.CreateTempSubdirectory("millrace-allocations-");
        await using var app = StandaloneApp.Build(
        [
            $"--Millrace:Http:Url=http://127.0.0.1:{Server.Port}", "--Millrace:Grpc:Url=", "--Millrace:Management:Url=http://127.0.0.1:0", $"--Millrace:Store:Path={data.FullName}",
            $"--Millrace:Models:Path={Path.Combine(Server.Root, "bench", "models")}", "--Logging:LogLevel:Default=Error", "--Millrace:Backlog:MaxTenantJobs=10000000", "--Millrace:Backlog:MaxJobs=10000000",
        ]);
        await app.StartAsync();
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://127.0.0.1:{Server.Port}") };
        await Clients.LoadAsync(request, clients, time);
        if (drain is not null)
            await drain(http);
        using var listener = new Listener();
        var before = GC.GetTotalAllocatedBytes(precise: true);
        var answers = await Clients.LoadAsync(request, clients, time);
        if (drain is not null)
            await drain(http);
        var bytes = GC.GetTotalAllocatedBytes(precise: true) - before;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {answers:#,0} requests, {(double)bytes / answers:#,0} bytes each"));
        var sampled = listener.Types.Values.Sum();
        foreach (var (type, share) in listener.Types.OrderByDescending(t => t.Value).Take(Most))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {(double)share / sampled * bytes / answers,8:#,0} B  {(double)share / sampled,6:0.0 %}  {type}"));
        Console.WriteLine();
        await app.StopAsync();
        data.Delete(recursive: true);
    }

    private sealed class Listener : EventListener
    {
        public ConcurrentDictionary<string, long> Types { get; } = new();

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            const EventKeywords collector = (EventKeywords)1;
            if (eventSource.Name == "Microsoft-Windows-DotNETRuntime")
                EnableEvents(eventSource, EventLevel.Verbose, collector);
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (eventData.EventName?.StartsWith("GCAllocationTick", StringComparison.Ordinal) != true || eventData.PayloadNames is not { } names)
                return;
            var (type, amount) = (names.IndexOf("TypeName"), names.IndexOf("AllocationAmount64"));
            if (type >= 0 && amount >= 0)
                Types.AddOrUpdate((string)eventData.Payload![type]!, (long)(ulong)eventData.Payload[amount]!, (_, sum) => sum + (long)(ulong)eventData.Payload[amount]!);
        }
    }
}
