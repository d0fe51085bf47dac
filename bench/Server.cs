using System.Diagnostics;
using System.Globalization;

namespace Millrace.Bench;

/// <summary>A Millrace of its own, all in one process.</summary>
internal sealed class Server : IDisposable
{
    public const int Port = 7350;
    private const string Management = "http://127.0.0.1:7351";
    private readonly Process _process;
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("millrace-bench-");

    private Server(string models, string[] settings)
    {
        var start = new ProcessStartInfo(Path.Combine(Root, "artifacts", "bin", "Standalone", "release", "Millrace.Standalone")) { WorkingDirectory = Root, RedirectStandardOutput = true };
        string[] all =
        [
            $"Millrace:Http:Url=http://127.0.0.1:{Port}", "Millrace:Grpc:Url=", $"Millrace:Management:Url={Management}", $"Millrace:Store:Path={_data.FullName}", $"Millrace:Models:Path={models}",
            "Logging:LogLevel:Default=Error", .. settings,
        ];
        foreach (var setting in all)
            start.ArgumentList.Add("--" + setting);
        _process = Process.Start(start) ?? throw new InvalidOperationException("Millrace did not start.");
        _process.OutputDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
    }

    public HttpClient Client { get; } = new(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 4000 }) { BaseAddress = new Uri($"http://127.0.0.1:{Port}"), Timeout = TimeSpan.FromSeconds(90) };

    public static string Root { get; } = FindRoot();

    /// <param name="models">The repository's folder, from the root of the project.</param>
    /// <param name="model">One of them: when it is ready, all is.</param>
    public static async Task<Server> StartAsync(string models, string model, params string[] settings)
    {
        var server = new Server(models, settings);
        for (var tries = 0; tries < 300; tries++)
        {
            try
            {
                using var ready = await server.Client.GetAsync(new Uri($"/v2/models/{model}/ready", UriKind.Relative));
                if (ready.IsSuccessStatusCode)
                    return server;
            }
            catch (HttpRequestException) { }
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
        server.Dispose();
        throw new InvalidOperationException("Millrace was not ready in half a minute.");
    }

    public TimeSpan Cpu()
    {
        _process.Refresh();
        return _process.TotalProcessorTime;
    }

    /// <summary>What the process has in memory, in MiB.</summary>
    public double MemoryMiB()
    {
        _process.Refresh();
        return _process.WorkingSet64 / 1024.0 / 1024;
    }

    /// <summary>Bytes that the process has allocated so far on the managed heap.</summary>
    public async Task<double> AllocatedAsync()
    {
        var text = await Client.GetStringAsync(new Uri(Management + "/metrics"));
        var line = text.Split('\n').First(l => l.StartsWith("millrace_allocated_bytes_total ", StringComparison.Ordinal));
        return double.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        Client.Dispose();
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _data.Delete(recursive: true);
    }

    private static string FindRoot()
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Millrace.slnx")))
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("This does not run inside the repository.");
        return root;
    }
}
