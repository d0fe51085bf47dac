using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Xunit;

namespace Millrace.Tests.Support;

/// <summary>The server as a process of its own, to be killed and started again.</summary>
public sealed partial class MillraceProcess : IAsyncDisposable
{
    public const int Kill = 9;
    public const int Stop = 19;
    public const int Continue = 18;
    public const int Terminate = 15;

    private readonly Process _process;
    private readonly TaskCompletionSource<string> _url = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _management = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentQueue<string> _output = new();
    private readonly ConcurrentQueue<string> _errors = new();

    private MillraceProcess(string program, IEnumerable<string> settings)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Repository.Root };
        start.ArgumentList.Add(Path.Combine(Repository.Root, "artifacts", "bin", program, "release", $"Millrace.{program}.dll"));
        if (program != Standalone)
            start.Environment["DOTNET_ENVIRONMENT"] = "Testing"; // so that faults may be injected
        foreach (var setting in settings)
            start.ArgumentList.Add("--" + setting);
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, line) => Keep(_output, line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(_errors, line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public HttpClient Client { get; private set; } = new();

    /// <summary>At its metrics and its health; all that a worker has.</summary>
    public HttpClient Management { get; private set; } = new();
    public bool HasExited => _process.HasExited;
    public string Output => string.Join('\n', _output);
    public IReadOnlyList<string> Errors => [.. _errors];

    public const string Standalone = "Standalone";
    public const string Api = "Api";
    public const string Worker = "Worker";

    /// <summary>Starts the server that is all in one and returns when it serves.</summary>
    public static Task<MillraceProcess> StartAsync(params string[] settings) => StartAsync(Standalone, settings);

    /// <summary>Starts one of the programs and returns when it listens.</summary>
    public static async Task<MillraceProcess> StartAsync(string program, IEnumerable<string> settings)
    {
        var process = new MillraceProcess(program, ["Millrace:Http:Url=http://127.0.0.1:0", "Millrace:Grpc:Url=http://127.0.0.1:0", "Millrace:Logs:Format=text", .. settings]);
        var ended = process._process.WaitForExitAsync(TestContext.Current.CancellationToken);
        if (await Task.WhenAny(process._management.Task, ended) == ended) // it is told last
            Assert.Fail($"It ended at its start: {process.Output}\n{string.Join('\n', process.Errors)}");
        process.Management = Open(await process._management.Task);
        process.Client = program == Worker ? process.Management : Open(await process._url.Task);
        return process;

        static HttpClient Open(string url) => new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(url), Timeout = TimeSpan.FromMinutes(2) };
    }

    /// <summary>Starts what should refuse to start; returns its exit code and the lines of its standard error.</summary>
    public static async Task<(int ExitCode, IReadOnlyList<string> Errors)> StartToFailAsync(params string[] settings)
    {
        await using var process = new MillraceProcess(Standalone, settings);
        return (await process.ExitAsync(), process.Errors);
    }

    /// <summary>The same of another program.</summary>
    public static async Task<(int ExitCode, IReadOnlyList<string> Errors)> StartToFailAsync(string program, string[] settings)
    {
        await using var process = new MillraceProcess(program, settings);
        return (await process.ExitAsync(), process.Errors);
    }

    /// <summary>Runs a command of a program to its end. What it wrote to standard output, or where it should fail, to both.</summary>
    public static async Task<string> CommandAsync(string program, int exitCode, string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Repository.Root };
        foreach (var argument in (string[])[Path.Combine(Repository.Root, "artifacts", "bin", program, "release", $"Millrace.{program}.dll"), .. arguments])
            start.ArgumentList.Add(argument);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == exitCode, $"{process.ExitCode}: {output}{await errors}");
        return (exitCode == 0 ? output : output + await errors).Trim();
    }

    /// <summary>Sends a signal to this process and no other.</summary>
    public void Signal(int signal) => Assert.Equal(0, SendSignal(_process.Id, signal));

    /// <summary>Bytes of its memory that are in use, as the system counts (RSS).</summary>
    public long Memory()
    {
        _process.Refresh();
        return _process.WorkingSet64;
    }

    public async Task<int> ExitAsync()
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        await _process.WaitForExitAsync(deadline.Token);
        _process.WaitForExit(); // the rest of its output
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Management.Dispose();
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }
        _process.Dispose();
    }

    private void Keep(ConcurrentQueue<string> lines, string? line)
    {
        if (line is null)
            return;
        lines.Enqueue(line);
        if (line.Contains("\"management_url\"", StringComparison.Ordinal) && line.EndsWith('}')) // one that is killed may leave half a line
        {
            var json = JsonNode.Parse(line)!;
            _url.TrySetResult((string)json["url"]!);
            _management.TrySetResult((string)json["management_url"]!);
        }
        const string url = "Millrace listens on ", management = "Metrics and health: ";
        if (line.StartsWith(url, StringComparison.Ordinal))
            _url.TrySetResult(line[url.Length..]);
        if (line.StartsWith(management, StringComparison.Ordinal))
            _management.TrySetResult(line[management.Length..line.IndexOf("/metrics", StringComparison.Ordinal)]);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int pid, int signal);
}
