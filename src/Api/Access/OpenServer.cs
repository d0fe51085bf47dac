using Microsoft.Extensions.Hosting;
using Millrace.Api.Grpc;
using Millrace.Api.Http;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Startup;

namespace Millrace.Api.Access;

/// <summary>Whether anybody may call: only while there are no keys, and only where no other machine can.</summary>
internal sealed class OpenServer(KeyDirectory keys, HttpOptions http, GrpcOptions grpc) : IHostedService
{
    /// <summary>Callers need no key.</summary>
    public bool IsOpen => keys.IsLoaded && keys.IsEmpty && MayBeOpen;

    private bool MayBeOpen => http.AllowOpen || Reachable is null;

    /// <summary>The first address that other machines can call.</summary>
    private (string Setting, string Url)? Reachable { get; } = ((string Setting, string Url)[])[("Millrace:Http:Url", http.Url), ("Millrace:Grpc:Url", grpc.Url)] is var all
        && Array.Find(all, a => a.Url.Length > 0 && !ListenAddress.IsLoopback(a.Url)) is { Url.Length: > 0 } first ? first : null;

    /// <exception cref="StartupException">Nobody could call, or everybody.</exception>
    public Task StartAsync(CancellationToken cancellationToken) => !keys.IsLoaded || !keys.IsEmpty || MayBeOpen
        ? Task.CompletedTask
        : throw new StartupException($"{Reachable!.Value.Setting}: {Reachable.Value.Url} can be reached from other machines, and there is no key yet. Make one with the same settings (`keys create --name first --roles admin`), "
            + "or name an issuer of tokens (Millrace:Access:Issuer), or listen on a loopback address; Millrace:Http:AllowOpen=true lets everybody in");

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
