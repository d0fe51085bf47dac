using System.Collections.Frozen;
using Millrace.Api.Errors;
using Millrace.Hosting.Telemetry;
using Prometheus;

namespace Millrace.Api.Limits;

/// <summary>What admission refused.</summary>
internal sealed class AdmissionMetrics
{
    /// <summary>What is refused before any work is done; a wrong body is not among them.</summary>
    private static readonly ErrorCode[] Counted =
    [
        ErrorCode.Unauthorized, ErrorCode.Forbidden, ErrorCode.RateLimited, ErrorCode.QuotaExceeded, ErrorCode.QueueFull, ErrorCode.Overloaded, ErrorCode.Unavailable,
        ErrorCode.ModelNotReady, ErrorCode.ShuttingDown, ErrorCode.PayloadTooLarge,
    ];

    private readonly FrozenDictionary<ErrorCode, Counter.Child> _totals;

    public AdmissionMetrics(Instruments instruments)
    {
        var refused = instruments.Counter("millrace_requests_refused_total", "Requests that were refused before any work was done, by error code.", "code");
        _totals = Counted.ToFrozenDictionary(code => code, code => refused.WithLabels(ErrorCodes.All[code].Name));
    }

    /// <summary>Since the process began.</summary>
    public IReadOnlyDictionary<string, long> Refused => _totals.OrderBy(t => t.Key).ToDictionary(t => ErrorCodes.All[t.Key].Name, t => (long)t.Value.Value);

    public void Note(ErrorCode code)
    {
        if (_totals.TryGetValue(code, out var total))
            total.Inc();
    }
}
