namespace Millrace.Hosting.Telemetry;

/// <summary>How log lines look. Their level is <c>Logging:LogLevel</c>, as in every .NET service.</summary>
public sealed class LogsOptions
{
    /// <summary><c>json</c>: one object a line; <c>text</c>: for people; <c>auto</c>: text on a terminal, else JSON.</summary>
    public string Format { get; set; } = "auto";

    internal static bool IsFormat(string format) => format is "auto" or "json" or "text";

    /// <summary>Before the settings are checked, so that a wrong word is told in some form.</summary>
    internal static bool IsJson(string? format) => format == "json" || (format != "text" && Console.IsOutputRedirected);
}
