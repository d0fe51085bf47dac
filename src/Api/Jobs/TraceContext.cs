using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Millrace.Hosting.Telemetry;

namespace Millrace.Api.Jobs;

/// <summary>The span of this call where it is recorded, else the caller's trace, or a new one when it sent none that is valid; never a reason to refuse.</summary>
/// <remarks>Source: W3C Trace Context. A higher version is read by its first four fields.</remarks>
internal static partial class TraceContext
{
    private const int LongestState = 512;

    public static (string Parent, string? State) Of(HttpRequest request)
    {
        if (Activity.Current is { Recorded: true } span)
            return (Spans.Text(span.Context), span.TraceStateString is { Length: > 0 and <= LongestState } passed ? passed : null);
        if (request.Headers.TraceParent is [{ } sent] && Form().Match(sent) is { Success: true } match && IsValid(match))
        {
            var state = request.Headers.TraceState.ToString();
            return ($"00-{match.Groups["trace"].Value}-{match.Groups["span"].Value}-{match.Groups["flags"].Value}", state.Length is > 0 and <= LongestState ? state : null);
        }
        return ($"00-{ActivityTraceId.CreateRandom().ToHexString()}-{ActivitySpanId.CreateRandom().ToHexString()}-00", null);
    }

    public static string TraceId(string parent) => parent.Split('-')[1];

    private static bool IsValid(Match match) =>
        match.Groups["version"].Value != "ff" && (match.Groups["version"].Value != "00" || match.Groups["more"].Length == 0)
        && match.Groups["trace"].Value.Any(c => c != '0') && match.Groups["span"].Value.Any(c => c != '0');

    [GeneratedRegex(@"^(?<version>[0-9a-f]{2})-(?<trace>[0-9a-f]{32})-(?<span>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<more>-.*)?\z")]
    private static partial Regex Form();
}
