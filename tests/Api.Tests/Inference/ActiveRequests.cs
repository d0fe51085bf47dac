using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Counts the HTTP requests that one server has in work, so that a test knows when they have arrived.</summary>
internal sealed class ActiveRequests : IDisposable
{
    private readonly MeterListener _listener = new();
    private long _count;

    public ActiveRequests(MillraceServer server)
    {
        var meters = server.Services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == "http.server.active_requests" && ReferenceEquals(instrument.Meter.Scope, meters))
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((_, change, _, _) => Interlocked.Add(ref _count, change));
        _listener.Start();
    }

    public Task ReachAsync(int count) => Waiting.UntilAsync(() => Interlocked.Read(ref _count) >= count, $"{count} requests are in work");

    public Task FallAsync(int count) => Waiting.UntilAsync(() => Interlocked.Read(ref _count) <= count, $"only {count} requests are in work");

    public void Dispose() => _listener.Dispose();
}
