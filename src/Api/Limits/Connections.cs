using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Millrace.Api.Access;
using Millrace.Api.Http;

namespace Millrace.Api.Limits;

/// <summary>Connections of one address. This machine and trusted proxies speak for many, so they are bounded by the total alone.</summary>
internal sealed class Connections(LimitsOptions options, HttpOptions http)
{
    private readonly ConcurrentDictionary<string, int> _open = new();

    public async Task HandleAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var address = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        if (address is null || IPAddress.IsLoopback(address) || http.Proxies.Any(p => p.Contains(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address)))
        {
            await next(connection);
            return;
        }
        var network = Addresses.Network(address);
        if (_open.AddOrUpdate(network, 1, (_, open) => open + 1) > options.MaxConnectionsPerAddress)
            connection.Abort(new ConnectionAbortedException("too many connections of one address"));
        else
            await next(connection);
        if (_open.AddOrUpdate(network, 0, (_, open) => open - 1) <= 0)
            _open.TryRemove(KeyValuePair.Create(network, 0));
    }
}
