using System.Collections.Frozen;
using System.Diagnostics.Metrics;
using Millrace.Api.Errors;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Resilience;
using Millrace.Hosting.Servers;

namespace Millrace.Api.Limits;

/// <summary>What admission did, as instruments of the meter <c>Millrace</c>.</summary>
internal sealed class AdmissionMetrics : IDisposable
{
    public const string MeterName = "Millrace";

    /// <summary>What is refused before any work is done; a wrong body is not among them.</summary>
    private static readonly ErrorCode[] Counted =
    [
        ErrorCode.Unauthorized, ErrorCode.Forbidden, ErrorCode.RateLimited, ErrorCode.QuotaExceeded, ErrorCode.QueueFull, ErrorCode.Overloaded, ErrorCode.Unavailable,
        ErrorCode.ModelNotReady, ErrorCode.ShuttingDown, ErrorCode.PayloadTooLarge,
    ];

    private readonly FrozenDictionary<ErrorCode, Total> _totals = Counted.ToFrozenDictionary(code => code, _ => new Total());
    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _refused;

    public AdmissionMetrics(InFlight inFlight, IBrokerState broker, StoreBreaker store)
    {
        _refused = _meter.CreateCounter<long>("millrace.requests.refused", "{request}", "Requests refused before any work was done, by code");
        _meter.CreateObservableGauge("millrace.requests.in_flight", () => inFlight.Requests, "{request}", "Requests in work");
        _meter.CreateObservableGauge("millrace.requests.waiting", () => inFlight.Waits, "{request}", "Requests that wait for a job's end");
        _meter.CreateObservableGauge("millrace.bodies.size", () => inFlight.BodyBytes, "By", "Bytes of all bodies in memory");
        _meter.CreateObservableGauge("millrace.circuit.open", () => new[]
        {
            new Measurement<int>(Value(store.Breaker.State), new KeyValuePair<string, object?>("circuit", "store")),
            new Measurement<int>(Value(broker.Circuit), new KeyValuePair<string, object?>("circuit", "broker")),
        }, description: "1 while calls are refused at once or only one may try, else 0");
    }

    /// <summary>Since the process began.</summary>
    public IReadOnlyDictionary<string, long> Refused => _totals.OrderBy(t => t.Key).ToDictionary(t => ErrorCodes.All[t.Key].Name, t => t.Value.Value);

    public void Note(ErrorCode code)
    {
        if (!_totals.TryGetValue(code, out var total))
            return;
        total.Add();
        _refused.Add(1, new KeyValuePair<string, object?>("code", ErrorCodes.All[code].Name));
    }

    public void Dispose() => _meter.Dispose();

    private static int Value(Circuit circuit) => circuit == Circuit.Closed ? 0 : 1;

    private sealed class Total
    {
        private long _value;

        public long Value => Volatile.Read(ref _value);

        public void Add() => Interlocked.Increment(ref _value);
    }
}
