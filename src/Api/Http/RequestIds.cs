using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;

namespace Millrace.Api.Http;

/// <summary>A request's name in answers and logs: the client's own, if it is harmless.</summary>
internal static partial class RequestIds
{
    public static string Of(HttpRequest request) =>
        request.Headers.TryGetValue("X-Request-Id", out var sent) && sent is [{ } id] && Form().IsMatch(id) ? id : Guid.NewGuid().ToString("N");

    [GeneratedRegex(@"^[A-Za-z0-9._-]{1,128}\z")]
    private static partial Regex Form();
}
