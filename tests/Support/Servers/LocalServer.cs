using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Millrace.Tests.Support.Servers;

/// <summary>A server from an installed package, on a free loopback port, with its data in a temporary folder; started by the same scripts as <c>make up</c>.</summary>
public sealed class LocalServer : IAsyncDisposable
{
    private readonly string _script;
    private readonly TemporaryFolder _folder = new();
    private Process? _process;

    private LocalServer(string script, int port, string[] more) => (_script, Port, More) = (script, port, more);

    public int Port { get; }

    public string Folder => _folder.Path;

    /// <summary>Further arguments of its script, from the next start on.</summary>
    public IReadOnlyList<string> More { get; set; }

    /// <summary>Not durable: tests kill processes, not machines, and the page cache survives that. (A commit that is not written to it would not.)</summary>
    /// <param name="off">The settings that are off; fsync and full_page_writes where none is named.</param>
    public static Task<LocalServer> StartPostgresAsync(params string[] off) => StartAsync(
        "postgres.sh", FreePort(1), (off.Length > 0 ? off : ["fsync", "full_page_writes"]).SelectMany(name => new[] { "-c", $"{name}=off" }).ToArray());

    public static Task<LocalServer> StartRabbitAsync() => StartAsync("rabbitmq.sh", FreePort(3));

    /// <summary>As a machine that loses its power: the server and its children die by SIGKILL.</summary>
    public async Task KillAsync()
    {
        if (_process is not { } process)
            return;
        _process = null;
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
    }

    /// <summary>Over the same data; returns when it takes connections.</summary>
    public async Task StartAsync()
    {
        var start = new ProcessStartInfo("bash") { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = "/" };
        foreach (var argument in (string[])[Path.Combine(Repository.Root, "deploy", "local", _script), Path.Combine(_folder.Path, "server"), Port.ToString(System.Globalization.CultureInfo.InvariantCulture), .. More])
            start.ArgumentList.Add(argument);
        var output = new System.Collections.Concurrent.ConcurrentQueue<string>();
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => output.Enqueue(line.Data ?? "");
        _process.ErrorDataReceived += (_, line) => output.Enqueue(line.Data ?? "");
        _process.Start();
        _process.BeginOutputReadLine(); // a pipe that nobody reads would stop the server
        _process.BeginErrorReadLine();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        while (!await AcceptsAsync())
        {
            if (_process.HasExited || deadline.IsCancellationRequested)
                throw new InvalidOperationException($"{_script} did not start:\n{string.Join('\n', output)}");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
        }
    }

    /// <summary>Removes all that it stored; it must not run.</summary>
    public void Wipe() => Directory.Delete(Path.Combine(_folder.Path, "server"), recursive: true);

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _folder.Dispose();
    }

    private static async Task<LocalServer> StartAsync(string script, int port, params string[] more)
    {
        var server = new LocalServer(script, port, more);
        if (!OperatingSystem.IsWindows()) // PostgreSQL runs as another user
            File.SetUnixFileMode(server.Folder, File.GetUnixFileMode(server.Folder) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        try { await server.StartAsync(); }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
        return server;
    }

    /// <summary>PostgreSQL listens before it answers; RabbitMQ does not.</summary>
    private async Task<bool> AcceptsAsync()
    {
        if (_script == "postgres.sh")
        {
            try
            {
                await using var database = new Npgsql.NpgsqlConnection($"Host=127.0.0.1;Port={Port};Username=postgres;Pooling=false;Timeout=2");
                await database.OpenAsync();
                return true;
            }
            catch (Exception error) when (error is Npgsql.NpgsqlException or TimeoutException) { return false; }
        }
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, Port);
            return true;
        }
        catch (SocketException) { return false; }
    }

    /// <summary>The first of so many free ports in a row, below those that the system gives to clients.</summary>
    private static int FreePort(int inARow)
    {
        while (true)
        {
            var first = Random.Shared.Next(15_000, 30_000);
            if (Enumerable.Range(first, inARow).All(IsFree))
                return first;
        }
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException) { return false; }
    }
}
