using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Millrace.Api.Http;

/// <summary>What a client would like: a hint, never an error.</summary>
/// <param name="Wait">Whole seconds that it would wait, at most 60; null when it did not say.</param>
/// <remarks>Source: RFC 7240; of a repeated preference the first counts, names are case-insensitive, unknown ones are ignored.</remarks>
internal sealed record Preferences(bool RespondAsync, int? Wait)
{
    public const int LongestWait = 60;

    public static Preferences Of(HttpRequest request)
    {
        var respondAsync = false;
        string? wait = null;
        foreach (var preference in request.Headers.GetCommaSeparatedValues("Prefer"))
        {
            var parts = preference.Split(';')[0].Split('=', 2, StringSplitOptions.TrimEntries);
            if (parts[0].Equals("respond-async", StringComparison.OrdinalIgnoreCase))
                respondAsync = true;
            else if (parts[0].Equals("wait", StringComparison.OrdinalIgnoreCase))
                wait ??= parts.ElementAtOrDefault(1)?.Trim('"') ?? "";
        }
        return new Preferences(respondAsync, Seconds(wait));
    }

    /// <summary>Digits only; more than the longest wait counts as that.</summary>
    private static int? Seconds(string? text)
    {
        if (string.IsNullOrEmpty(text) || !text.All(char.IsAsciiDigit))
            return null;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? Math.Min(seconds, LongestWait) : LongestWait;
    }
}
