using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Millrace.Tests.Support;

namespace Millrace.Rehearsal.Run;

/// <summary>A program of Millrace as a process of its own, ended by the signals that Kubernetes sends.</summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    private const int Sigterm = 15;
    private static readonly HttpClient Probes = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(2) };
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly Uri _ready;

    private ServerProcess(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, string log)
    {
        var management = $"http://127.0.0.1:{FreePort()}";
        _ready = new Uri($"{management}/health/ready");
        var start = new ProcessStartInfo(Path.Combine(Repository.Root, "artifacts", "bin", program, "release", $"Millrace.{program}"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Repository.Root,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        start.Environment["MILLRACE__MANAGEMENT__URL"] = management;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        Log = log;
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Pid = _process.Id;
    }

    public int Pid { get; }

    /// <summary>Gets what it printed, at its end.</summary>
    public string Log { get; }

    public bool HasExited => _process.HasExited;

    public static ServerProcess Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, string log) =>
        new(program, arguments, environment, log);

    /// <summary>Runs a command of a program to its end.</summary>
    public static async Task RunAsync(string program, string command, IReadOnlyDictionary<string, string> environment, string log)
    {
        await using var process = Start(program, [command], environment, log);
        if (await process.ExitAsync(TimeSpan.FromMinutes(2)) != 0)
            throw new InvalidOperationException($"{program} {command} failed:\n{string.Join('\n', process._lines)}");
    }

    public async Task<bool> IsReadyAsync()
    {
        try
        {
            using var answer = await Probes.GetAsync(_ready);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException) { return false; }
    }

    public async Task MustBecomeReadyAsync(TimeSpan within)
    {
        using var deadline = new CancellationTokenSource(within);
        while (!await IsReadyAsync())
        {
            if (HasExited || deadline.IsCancellationRequested)
                throw new InvalidOperationException($"A process did not become ready:\n{string.Join('\n', _lines)}");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
        }
    }

    public void Terminate() => _ = Signal(Pid, Sigterm);

    public void Kill() => _process.Kill();

    /// <returns>The exit code; null when it goes on.</returns>
    public async Task<int?> ExitAsync(TimeSpan within)
    {
        using var deadline = new CancellationTokenSource(within);
        try { await _process.WaitForExitAsync(deadline.Token); }
        catch (OperationCanceledException) { return null; }
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }
        await File.WriteAllLinesAsync(Log, _lines);
        _process.Dispose();
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private void Keep(string? line)
    {
        if (line is not null)
            _lines.Enqueue(line);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int pid, int signal);
}
