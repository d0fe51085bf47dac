using System.Diagnostics;

namespace Millrace.Hosting.Telemetry;

/// <summary>Spans of our own. Their parents are given, never taken from what happens to be current: requests of many traces share packs, batches and loops.</summary>
/// <remarks>Nothing here costs anything where no trace is recorded. Names and tags: OpenTelemetry's semantic conventions for messaging, as far as they reach.</remarks>
public static class Spans
{
    public const string SourceName = "Millrace";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>The context of what is current, if it is recorded.</summary>
    public static ActivityContext? Current => Activity.Current is { Recorded: true } current ? current.Context : null;

    /// <summary>What a W3C <c>traceparent</c> names, if it is recorded.</summary>
    public static ActivityContext? Parse(string? traceParent, string? traceState = null) =>
        traceParent is not null && ActivityContext.TryParse(traceParent, traceState, isRemote: true, out var context) && context.TraceFlags.HasFlag(ActivityTraceFlags.Recorded) ? context : null;

    /// <summary>As <c>traceparent</c>.</summary>
    public static string Text(ActivityContext context) => $"00-{context.TraceId}-{context.SpanId}-{(byte)context.TraceFlags:x2}";

    /// <summary>Null where there is no parent, or nobody records.</summary>
    public static Activity? Begin(string name, ActivityKind kind, ActivityContext? parent, DateTimeOffset began = default, IEnumerable<ActivityLink>? links = null)
    {
        if (parent is not { } context || !Source.HasListeners())
            return null;
        var current = Activity.Current;
        var span = Source.StartActivity(kind, context, links: links, startTime: began, name: name);
        Activity.Current = current;
        return span;
    }

    public static void End(Activity? span, string? error = null, DateTimeOffset ended = default)
    {
        if (span is null)
            return;
        if (error is not null)
            span.SetStatus(ActivityStatusCode.Error, error);
        if (ended != default)
            span.SetEndTime(ended.UtcDateTime);
        var current = Activity.Current;
        span.Stop();
        Activity.Current = current;
    }

    /// <summary>A span that is over already.</summary>
    public static void Record(string name, ActivityKind kind, ActivityContext? parent, DateTimeOffset began, DateTimeOffset ended) =>
        End(Begin(name, kind, parent, began), ended: ended > began ? ended : began);

    /// <summary>The current span has to do with that trace too.</summary>
    public static void LinkTo(string? traceParent)
    {
        if (Activity.Current is { Recorded: true } current && traceParent is not null && ActivityContext.TryParse(traceParent, null, out var other) && other.TraceId != current.TraceId)
            current.AddLink(new ActivityLink(other));
    }
}
