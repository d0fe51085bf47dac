using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;

namespace Millrace.Api.Limits;

/// <summary>After it is known who calls: how often, and how many at once.</summary>
internal sealed class Admittance(RequestDelegate next, RateLimits rates, InFlight inFlight)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (Requirement.Of(context).IsOpen)
        {
            await next(context);
            return;
        }
        await rates.CheckAsync(context);
        if (Requirement.Of(context).IsOperating)
        {
            await next(context);
            return;
        }
        using var place = inFlight.Enter();
        context.Features.Set(place);
        await next(context);
    }
}
