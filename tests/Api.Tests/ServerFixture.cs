using Millrace.Api.Tests;
using Millrace.Tests.Support;

[assembly: AssemblyFixture(typeof(ServerFixture))]

namespace Millrace.Api.Tests;

/// <summary>One server for all tests that need nothing special, with default settings but for room for what they send at one time; each such test uses models and jobs so that it disturbs no other.</summary>
public sealed class ServerFixture : IAsyncLifetime
{
    private MillraceServer? _server;

    public MillraceServer Server => _server ?? throw new InvalidOperationException("The server is not started.");

    public HttpClient Client => Server.Client;

    public async ValueTask InitializeAsync() => _server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Limits:MaxRequests=2000");

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
    }
}
