using System.Diagnostics;
using System.Globalization;

namespace Millrace.Engine;

/// <summary>A Millrace of its own, all in one process, on the models of the benchmark.</summary>
internal sealed class Server : IDisposable
{
    public const int Port = 7350;
    private const string Management = "http://127.0.0.1:7351";
    private readonly Process _process;
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("millrace-engine-");

    private Server(string root, string[] settings)
    {
        var start = new ProcessStartInfo(Path.Combine(root, "artifacts", "bin", "Standalone", "release", "Millrace.Standalone")) { WorkingDirectory = root, RedirectStandardOutput = true };
        string[] all = [$"Millrace:Http:Url=http://127.0.0.1:{Port}", $"Millrace:Management:Url={Management}", $"Millrace:Store:Path={_data.FullName}", "Millrace:Models:Path=bench/models", "Logging:LogLevel:Default=Error", .. settings];
        foreach (var setting in all)
            start.ArgumentList.Add("--" + setting);
        _process = Process.Start(start) ?? throw new InvalidOperationException("Millrace did not start.");
        _process.OutputDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
    }

    public HttpClient Client { get; } = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://127.0.0.1:{Port}"), Timeout = TimeSpan.FromSeconds(90) };

    public static string Root { get; } = FindRoot();

    public static async Task<Server> StartAsync(params string[] settings)
    {
        var server = new Server(Root, settings);
        for (var tries = 0; tries < 300; tries++)
        {
            try
            {
                using var ready = await server.Client.GetAsync(new Uri("/v2/models/mlp/ready", UriKind.Relative));
                if (ready.IsSuccessStatusCode)
                    return server;
            }
            catch (HttpRequestException) { }
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
        throw new InvalidOperationException("Millrace was not ready in half a minute.");
    }

    public TimeSpan Cpu()
    {
        _process.Refresh();
        return _process.TotalProcessorTime;
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
