using System.Diagnostics;
using Millrace.Hosting.Telemetry;
using Millrace.Worker.Execution;
using Millrace.Worker.Models;

namespace Millrace.Worker.Batching;

/// <summary>One run seen from the traces of all that share it: each has a span of its own, linked to the others'.</summary>
internal sealed class RunSpans : IDisposable
{
    /// <summary>A link costs as much as a small span.</summary>
    private const int MostLinks = 32;

    private readonly List<Activity> _spans = [];
    private string? _error;

    /// <summary>Null where no trace is recorded, which is nearly always.</summary>
    public static RunSpans? Begin(LoadedModel model, IReadOnlyList<WorkItem> items, TimeProvider time)
    {
        var traced = items.Where(i => i.Trace is not null).ToArray();
        if (traced.Length == 0)
            return null;
        var spans = new RunSpans();
        var now = time.GetUtcNow();
        foreach (var item in traced)
        {
            Spans.Record($"batch {model.Name}", ActivityKind.Internal, item.Trace, item.ArrivedAt, now);
            var others = traced.Where(o => o != item).Take(MostLinks).Select(o => new ActivityLink(o.Trace!.Value));
            if (Spans.Begin($"run {model.Name}", ActivityKind.Internal, item.Trace, now, others) is { } span)
                spans._spans.Add(span.SetTag("millrace.model.version", model.Version).SetTag("millrace.batch.requests", items.Count));
        }
        return spans;
    }

    public void Fail(Exception error) => _error = RunFailure.From(error).Message;

    public void Dispose()
    {
        foreach (var span in _spans)
            Spans.End(span, _error);
    }
}
