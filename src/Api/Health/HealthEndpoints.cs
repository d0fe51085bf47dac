using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Models;
using Millrace.Hosting.Lifecycle;

namespace Millrace.Api.Health;

internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v2/health").WithTags("Health");
        group.MapGet("/live", (Delegate)Live).NeedsNothing().WithName("ServerLive").WithSummary("The process answers; depends on nothing else").Produces<LiveStatus>();
        group.MapGet("/ready", Ready).NeedsNothing().WithName("ServerReady").WithSummary("New work can be accepted now").Produces<ReadyStatus>().Produces<ProtocolError>(503);
    }

    private static Task Live(HttpContext context) => JsonBody.WriteAsync(context, new LiveStatus(true), ApiJson.Default.LiveStatus);

    private static Task Ready(HttpContext context, Draining draining, ModelCatalog catalog) => ApiChecks.WhyNotReady(draining, catalog) is { } refusal
        ? throw new RefusedException(refusal)
        : JsonBody.WriteAsync(context, new ReadyStatus(true), ApiJson.Default.ReadyStatus);
}
