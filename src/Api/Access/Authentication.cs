using Microsoft.AspNetCore.Http;
using Millrace.Api.Errors;
using Millrace.Api.Limits;
using Millrace.Hosting.Telemetry;

namespace Millrace.Api.Access;

/// <summary>Who calls: one answer for every wrong key, whatever is wrong with it.</summary>
internal sealed class Authentication(RequestDelegate next, KeyDirectory keys, OpenServer open, Tokens tokens, AccessOptions options, LocalWindows failures)
{
    private const string Scheme = "Bearer ";

    public async Task InvokeAsync(HttpContext context)
    {
        if (Requirement.Of(context).IsOpen)
        {
            await next(context);
            return;
        }
        var caller = await IdentifyAsync(context);
        context.Features.Set(caller);
        if (context.Features.Get<RequestTags>() is { } tags)
            (tags.UserId, tags.Tenant) = (caller.Name, caller.Tenant);
        await next(context);
    }

    private async Task<Caller> IdentifyAsync(HttpContext context)
    {
        if (!keys.IsLoaded)
            throw new RefusedException(new Refusal(ErrorCode.Unavailable, "The store does not answer, so keys can't be read yet.") { RetryAfter = 2 });
        if (context.Request.QueryString.HasValue)
            RefuseKeyInAddress(context.Request);
        if (open.IsOpen)
            return Caller.Open(context.Connection.RemoteIpAddress);
        if (context.Request.Headers.Authorization is [{ } header] && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            var token = header[Scheme.Length..];
            if (keys.Find(token) is { } key)
                return new Caller(key.Id, key.Tenant, key.Roles, $"key:{key.Id}", key.Requests);
            if (await tokens.FindAsync(token) is { } caller)
                return caller;
        }
        throw Unknown(context);
    }

    private RefusedException Unknown(HttpContext context)
    {
        var window = failures.Take(Addresses.Network(context.Connection.RemoteIpAddress), options.FailuresPerMinute);
        return new RefusedException(window.Allowed
            ? new Refusal(ErrorCode.Unauthorized, "Send a valid key as Authorization: Bearer mr_…")
            : new Refusal(ErrorCode.RateLimited, "Too many wrong keys came from this address.") { RetryAfter = window.ResetSeconds });
    }

    private static void RefuseKeyInAddress(HttpRequest request)
    {
        if (request.Query.Any(p => p.Key is "access_token" or "api_key" or "apikey" or "token" || p.Value.Any(v => v is not null && KeyText.IdOf(v) is not null)))
            throw new RefusedException(ErrorCode.InvalidRequest, "A key does not belong into the address, which is logged on its way; send it as Authorization: Bearer.");
    }
}
