using System.Net.Sockets;
using Testcontainers.PostgreSql;
using Xunit;

namespace Millrace.Tests.Support.Servers;

/// <summary>A PostgreSQL for a whole assembly: MILLRACE_TEST_POSTGRES (an address), else Docker, else the installed package.</summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    private IAsyncDisposable? _owned;

    /// <summary>As <c>postgres://postgres@127.0.0.1:5432/postgres</c>.</summary>
    public string Url { get; private set; } = "";

    /// <summary>The same, with a schema of its own.</summary>
    public string NewSchema() => $"{Url}{(Url.Contains('?') ? '&' : '?')}schema=t{Guid.NewGuid():N}";

    public async ValueTask InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable("MILLRACE_TEST_POSTGRES") is { Length: > 0 } url)
        {
            Url = url;
            return;
        }
        if (await Docker.TryAsync(new PostgreSqlBuilder("postgres:17").Build) is { } container)
        {
            _owned = container;
            Url = $"postgres://postgres:postgres@{container.Hostname}:{container.GetMappedPublicPort(5432)}/postgres";
            return;
        }
        var server = await LocalServer.StartPostgresAsync();
        _owned = server;
        Url = $"postgres://postgres@127.0.0.1:{server.Port}/postgres";
    }

    public async ValueTask DisposeAsync()
    {
        if (_owned is not null)
            await _owned.DisposeAsync();
    }
}

internal static class Docker
{
    /// <summary>A started container; null where there is no Docker, or none that can get the image: then the installed packages serve.</summary>
    public static async Task<T?> TryAsync<T>(Func<T> build) where T : class, DotNet.Testcontainers.Containers.IContainer
    {
        if (!await IsThereAsync())
            return null;
        T? container = null;
        try
        {
            container = build();
            await container.StartAsync();
            return container;
        }
        catch (Exception error) // of whatever kind: without a registry, an image, a network
        {
            await Console.Error.WriteLineAsync($"Docker answers, but gives no server ({error.Message}); taking the installed package.");
            if (container is not null)
                await container.DisposeAsync();
            return null;
        }
    }

    /// <summary>An installed client proves nothing: the daemon must answer.</summary>
    private static async Task<bool> IsThereAsync()
    {
        const string path = "/var/run/docker.sock";
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException) { return false; }
    }
}
