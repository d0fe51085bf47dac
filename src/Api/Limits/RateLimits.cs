using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Errors;

namespace Millrace.Api.Limits;

/// <summary>Requests per window: of the caller, of its tenant, and of the caller for a model; told in the fields RateLimit and RateLimit-Policy.</summary>
/// <remarks>Source: draft-ietf-httpapi-ratelimit-headers-10; 429 is RFC 6585 §4.</remarks>
internal sealed class RateLimits(RateLimiter limiter, RateLimitOptions options)
{
    private const int DefaultRequests = 100;

    /// <exception cref="RefusedException">429: one of the quotas is used up.</exception>
    public async Task CheckAsync(HttpContext context)
    {
        var caller = context.Caller();
        var own = caller.Requests ?? options.Requests ?? (caller.IsOpen ? 0 : DefaultRequests);
        var tenant = caller.IsOpen ? 0 : options.Tenants.GetValueOrDefault(caller.Tenant, options.TenantRequests);
        if (own > 0)
            await TakeAsync(context, caller.IsOpen ? "address" : "key", caller.RateSubject, own);
        if (tenant <= 0)
            return;
        try { await TakeAsync(context, "tenant", $"tenant:{caller.Tenant}", tenant); }
        catch (RefusedException) when (own > 0)
        {
            limiter.GiveBack(caller.RateSubject);
            throw;
        }
    }

    /// <summary>Once it is known which model a request is for.</summary>
    /// <exception cref="RefusedException">429: the caller's quota for the model is used up.</exception>
    public Task CheckModelAsync(HttpContext context, string model) => options.Models.TryGetValue(model, out var limit) && limit > 0
        ? TakeAsync(context, "model", $"model:{model}:{context.Caller().RateSubject}", limit) : Task.CompletedTask;

    private async Task TakeAsync(HttpContext context, string policy, string subject, int limit)
    {
        var decision = await limiter.TakeAsync(subject, limit, context.RequestAborted);
        if (!context.Response.HasStarted) // a stream of gRPC has
        {
            var headers = context.Response.Headers;
            Append(headers, "RateLimit-Policy", $"\"{policy}\";q={limit};w={(int)options.Window.TotalSeconds}");
            Append(headers, "RateLimit", $"\"{policy}\";r={decision.Left};t={decision.ResetSeconds}");
        }
        if (decision.Allowed)
            return;
        throw new RefusedException(new Refusal(ErrorCode.RateLimited, $"More than {limit} requests came in {options.Window.TotalSeconds} s ({policy}).")
        {
            RetryAfter = decision.ResetSeconds,
            ViolatedPolicies = [policy],
        });
    }

    private static void Append(IHeaderDictionary headers, string name, string value) =>
        headers[name] = headers.TryGetValue(name, out var present) && present is [{ Length: > 0 } before] ? $"{before}, {value}" : value;
}
