using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Errors;

namespace Millrace.Api.Http;

/// <summary>Keeps web pages away from an open server on this machine: a page elsewhere may not call it, nor reach it under a name of its own (DNS rebinding).</summary>
internal sealed class BrowserGuard(RequestDelegate next, HttpOptions options, OpenServer open)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Request;
        if (open.IsOpen && !options.AllowOpen && !IsLoopback(request.Host.Host))
            throw new RefusedException(ErrorCode.Forbidden, "This server is open to its own machine only: call it as 127.0.0.1 or localhost, or set Millrace:Http:AllowOpen.");
        if (request.Headers.Origin is [{ } origin] && origin != $"{request.Scheme}://{request.Host}")
            throw new RefusedException(ErrorCode.Forbidden, "Calls from web pages of other origins are refused.");
        return next(context);
    }

    private static bool IsLoopback(string host) => host is "localhost" or "[::1]" || (System.Net.IPAddress.TryParse(host, out var address) && System.Net.IPAddress.IsLoopback(address));
}
