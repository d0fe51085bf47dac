using System.Net;
using Microsoft.AspNetCore.Http;
using Millrace.Storage.Access;
using Millrace.Storage.Audit;

namespace Millrace.Api.Access;

/// <summary>Who calls.</summary>
/// <param name="Name">For the audit: a key's id, <c>jwt:</c> and the subject, or <c>open</c>.</param>
/// <param name="RateSubject">What its requests are counted by.</param>
/// <param name="Requests">Its own limit of requests in a window; null for the default.</param>
internal sealed record Caller(string Name, string Tenant, Roles Roles, string RateSubject, int? Requests = null)
{
    /// <summary>Everybody, on a server that has no keys.</summary>
    public static Caller Open(IPAddress? address) =>
        new("open", DefaultTenant, Roles.Submit | Roles.Read | Roles.Operate | Roles.Admin, $"ip:{Addresses.Network(address)}") { IsOpen = true };

    public const string DefaultTenant = "default";

    public bool IsOpen { get; private init; }
}

internal static class CallerExtensions
{
    public static Caller Caller(this HttpContext context) =>
        context.Features.Get<Caller>() ?? throw new InvalidOperationException("Nobody has asked who calls: the route needs nothing.");

    public static string Tenant(this HttpContext context) => context.Caller().Tenant;

    /// <summary>The record of what this request does, to be written with it.</summary>
    /// <param name="target">What the client named; a long one is cut.</param>
    public static AuditEntry Audit(this HttpContext context, string target) => new(
        context.Caller().Name, context.Tenant(), Requirement.Of(context).Action ?? throw new InvalidOperationException("The route has no action to audit."),
        target.Length <= LongestTarget ? target : target[..LongestTarget], context.TraceIdentifier);

    private const int LongestTarget = 200;
}

internal static class Addresses
{
    /// <summary>What counts as one caller: an IPv4 address, or an IPv6 /64, of which every host has as many as it likes.</summary>
    public static string Network(IPAddress? address)
    {
        if (address is null)
            return "unknown";
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6)
            return address.ToString();
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return $"{new IPAddress(bytes)}/64";
    }
}
