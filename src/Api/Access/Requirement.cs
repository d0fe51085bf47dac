using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Millrace.Storage.Access;

namespace Millrace.Api.Access;

/// <summary>What a route asks of its caller. One that does not say asks for somebody known, and fails the test of the published table.</summary>
/// <param name="Roles">One of these is needed; none asks only for somebody known.</param>
/// <param name="Action">What the audit calls it, where it is audited.</param>
internal sealed record Requirement(Roles Roles, string? Action = null)
{
    /// <summary>Also what a path without a route asks, so that nobody unknown learns which there are.</summary>
    public static Requirement SomebodyKnown { get; } = new(Roles.None);

    public static Requirement Nothing { get; } = new(Roles.None) { IsOpen = true };

    /// <summary>Anybody may call, and as often as he likes.</summary>
    public bool IsOpen { get; private init; }

    /// <summary>Only who runs the installation calls it: also when all places are taken, or he could not see why.</summary>
    public bool IsOperating => Roles != Roles.None && (Roles & ~(Roles.Operate | Roles.Admin)) == 0;

    public static Requirement Of(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<Requirement>() ?? SomebodyKnown;
}

internal static class RequirementExtensions
{
    /// <summary>The caller needs one of these roles.</summary>
    public static TBuilder Needs<TBuilder>(this TBuilder route, Roles oneOf, string? action = null) where TBuilder : IEndpointConventionBuilder =>
        route.WithMetadata(new Requirement(oneOf, action));

    public static TBuilder NeedsSomebodyKnown<TBuilder>(this TBuilder route) where TBuilder : IEndpointConventionBuilder => route.WithMetadata(Requirement.SomebodyKnown);

    public static TBuilder NeedsNothing<TBuilder>(this TBuilder route) where TBuilder : IEndpointConventionBuilder => route.WithMetadata(Requirement.Nothing);
}
