using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Parsing;

namespace Millrace.Hosting.Telemetry;

/// <summary>One JSON object a line. Members: time, level, message, event, logger, trace_id, span_id, error, and each value of the message under its name in snake_case.</summary>
internal sealed class JsonLines : ITextFormatter
{
    /// <summary>What comes from outside may be long; who wrote it knows the rest.</summary>
    private const int LongestValue = 256;
    private const int LongestMessage = 2048;

    /// <summary>Written otherwise, or the web server's own words for what we call otherwise.</summary>
    private static readonly HashSet<string> LeftOut = ["SourceContext", "EventId", "{OriginalFormat}", "TraceId", "SpanId", "ParentId", "ConnectionId", "RequestPath"];

    public void Format(LogEvent logEvent, TextWriter output)
    {
        var bytes = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("time", logEvent.Timestamp.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture));
            json.WriteString("level", LogText.Level(logEvent.Level));
            json.WriteString("message", LogText.Cut(LogText.Message(logEvent), LongestMessage));
            if (logEvent.Properties.GetValueOrDefault("EventId") is StructureValue { Properties: var parts } && parts.FirstOrDefault(p => p.Name == "Id")?.Value is ScalarValue { Value: int id })
                json.WriteNumber("event", id);
            json.WriteString("logger", LogText.Logger(logEvent));
            if (logEvent.TraceId is { } trace)
                json.WriteString("trace_id", trace.ToHexString());
            if (logEvent.SpanId is { } span)
                json.WriteString("span_id", span.ToHexString());
            foreach (var (name, value) in logEvent.Properties)
            {
                if (!LeftOut.Contains(name))
                    Write(json, LogText.SnakeCase(name), value);
            }
            if (logEvent.Exception is { } error)
                json.WriteString("error", error.ToString());
            json.WriteEndObject();
        }
        output.Write(Encoding.UTF8.GetString(bytes.WrittenSpan));
        output.Write('\n');
    }

    private static void Write(Utf8JsonWriter json, string name, LogEventPropertyValue value)
    {
        switch (value)
        {
            case ScalarValue { Value: null }: json.WriteNull(name); break;
            case ScalarValue { Value: bool flag }: json.WriteBoolean(name, flag); break;
            case ScalarValue { Value: int or long or short or byte } whole: json.WriteNumber(name, Convert.ToInt64(whole.Value, CultureInfo.InvariantCulture)); break;
            case ScalarValue { Value: double number } when double.IsFinite(number): json.WriteNumber(name, number); break;
            case ScalarValue { Value: TimeSpan time }: json.WriteNumber($"{name}_seconds", time.TotalSeconds); break;
            case ScalarValue { Value: string text }: json.WriteString(name, LogText.Cut(text, LongestValue)); break;
            default: json.WriteString(name, LogText.Cut(value.ToString(null, CultureInfo.InvariantCulture), LongestValue)); break;
        }
    }
}

/// <summary>For people: time, level, logger, message; what comes from outside can neither end the line nor reach the terminal.</summary>
internal sealed class TextLines : ITextFormatter
{
    public void Format(LogEvent logEvent, TextWriter output)
    {
        output.Write(logEvent.Timestamp.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ ", CultureInfo.InvariantCulture));
        output.Write($"{LogText.Level(logEvent.Level),-11} {LogText.Logger(logEvent)}: ");
        output.Write(LogText.Clean(LogText.Message(logEvent)));
        if (logEvent.Exception is { } error)
            output.Write(" " + LogText.Clean(error.ToString()));
        output.Write('\n');
    }
}

internal static class LogText
{
    public static string Level(LogEventLevel level) => level switch
    {
        LogEventLevel.Verbose => "trace",
        LogEventLevel.Debug => "debug",
        LogEventLevel.Information => "information",
        LogEventLevel.Warning => "warning",
        LogEventLevel.Error => "error",
        _ => "critical",
    };

    /// <summary>The message with its values as they are: Serilog itself would put texts in quotes.</summary>
    public static string Message(LogEvent logEvent)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        foreach (var token in logEvent.MessageTemplate.Tokens)
        {
            if (token is PropertyToken property && logEvent.Properties.GetValueOrDefault(property.PropertyName) is ScalarValue { Value: string value })
                text.Write(value);
            else
                token.Render(logEvent.Properties, text, CultureInfo.InvariantCulture);
        }
        return text.ToString();
    }

    public static string Logger(LogEvent logEvent) => logEvent.Properties.GetValueOrDefault("SourceContext") is ScalarValue { Value: string name } ? name : "";

    public static string Cut(string text, int longest) => text.Length <= longest ? text : text[..longest] + "…";

    /// <summary>JobId → job_id.</summary>
    public static string SnakeCase(string name) => JsonNamingPolicy.SnakeCaseLower.ConvertName(name);

    public static string Clean(string text)
    {
        var clean = new StringBuilder(text.Length);
        foreach (var c in text.ReplaceLineEndings(" "))
            clean.Append(char.IsControl(c) || c is '\u2028' or '\u2029' ? '?' : c);
        return clean.ToString();
    }
}
