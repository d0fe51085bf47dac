using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;

namespace Millrace.Api.Traffic;

/// <summary>By what a caller keeps its version.</summary>
internal static class StickyKey
{
    /// <returns>The value of the model's header, else the caller's key; null where chance decides, also on a server without keys, where all callers are one.</returns>
    public static string? Of(HttpContext context, TrafficSplit split)
    {
        if (!split.IsSticky)
            return null;
        if (split.StickyHeader.Length > 0 && context.Request.Headers[split.StickyHeader].ToString() is { Length: > 0 } value)
            return value;
        return context.Caller() is { IsOpen: false } caller ? caller.Name : null;
    }
}
