using System.Globalization;
using System.Text.RegularExpressions;

namespace Millrace.Api.Jobs;

/// <summary>Times as clients write and read them.</summary>
internal static partial class JobTimes
{
    /// <remarks>Source: RFC 3339; an offset must be given.</remarks>
    public static bool TryParse(string text, out DateTimeOffset time)
    {
        time = default;
        return Rfc3339().IsMatch(text) && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
    }

    /// <summary>UTC, so that it is written with a Z.</summary>
    public static DateTime? View(DateTimeOffset? time) => time?.UtcDateTime;

    [GeneratedRegex(@"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})\z")]
    private static partial Regex Rfc3339();
}
