using System.Diagnostics;
using System.Globalization;

namespace Millrace.Overload;

/// <summary>A Millrace of its own, all in one process, with the model <c>sleep</c> of the tests, which takes about as long as it is told.</summary>
internal sealed class Server : IDisposable
{
    private readonly Process _process;
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("millrace-overload-");

    private Server(string root, string url, string[] settings)
    {
        var start = new ProcessStartInfo(Path.Combine(root, "artifacts", "bin", "Standalone", "release", "Millrace.Standalone")) { WorkingDirectory = root, RedirectStandardOutput = true };
        foreach (var setting in (string[])[$"Millrace:Http:Url={url}", "Millrace:Grpc:Url=", $"Millrace:Store:Path={_data.FullName}", "Millrace:Models:Path=tests/models", "Millrace:Models:Names=sleep", "Logging:LogLevel:Default=Error", .. settings])
            start.ArgumentList.Add("--" + setting);
        _process = Process.Start(start) ?? throw new InvalidOperationException("Millrace did not start.");
        _process.OutputDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        Client = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 4000 }) { BaseAddress = new Uri(url), Timeout = TimeSpan.FromSeconds(90) };
    }

    public HttpClient Client { get; }

    public static async Task<Server> StartAsync(params string[] settings)
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Millrace.slnx")))
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("This does not run inside the repository.");
        var server = new Server(root, "http://127.0.0.1:7340", settings);
        for (var tries = 0; tries < 300; tries++)
        {
            try
            {
                using var ready = await server.Client.GetAsync(new Uri("/v2/models/sleep/ready", UriKind.Relative));
                if (ready.IsSuccessStatusCode)
                    return server;
            }
            catch (HttpRequestException) { }
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
        throw new InvalidOperationException("Millrace was not ready in half a minute.");
    }

    /// <summary>What the process has in memory, in MiB.</summary>
    public double MemoryMiB() => double.Parse(File.ReadLines($"/proc/{_process.Id}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;

    public void Dispose()
    {
        Client.Dispose();
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _data.Delete(recursive: true);
    }
}
