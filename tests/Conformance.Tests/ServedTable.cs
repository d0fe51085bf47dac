using System.Collections.Concurrent;
using Grpc.Net.Client;
using Millrace.Conformance.Tests;
using Millrace.Conformance.Tests.Judging;
using Millrace.Conformance.Tests.Table;
using Millrace.Tests.Support;

[assembly: AssemblyFixture(typeof(ServedTable))]

namespace Millrace.Conformance.Tests;

/// <summary>One server on the whole table. One message of the sync lane is out at a time, so that requests which come together leave together.</summary>
public sealed class ServedTable : IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, Lazy<Task<Verdict>>> _verdicts = new();
    private MillraceServer? _server;
    private GrpcChannel? _channel;

    public MillraceServer Server => _server ?? throw new InvalidOperationException("The server is not started.");

    internal GrpcChannel Channel => _channel ??= GrpcChannel.ForAddress(Server.GrpcUrl);

    public async ValueTask InitializeAsync() => _server = await MillraceServer.StartAsync(ModelTable.Folder, "Millrace:Sync:Outstanding=1");

    /// <summary>Asks each model once, whoever wants to know.</summary>
    internal Task<Verdict> JudgeAsync(string model) => _verdicts.GetOrAdd(model, name => new Lazy<Task<Verdict>>(() => new Judge(Server, Channel).JudgeAsync(name))).Value;

    public async ValueTask DisposeAsync()
    {
        _channel?.Dispose();
        if (_server is not null)
            await _server.DisposeAsync();
    }
}

/// <summary>Tests that ask the table's models one after the other: a request beside another may share its run, and a sum may then end in another bit.</summary>
[CollectionDefinition(Name)]
public sealed class Alone
{
    public const string Name = "alone";
}
