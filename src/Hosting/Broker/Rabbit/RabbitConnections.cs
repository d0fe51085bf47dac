using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Chaos;
using Millrace.Hosting.Resilience;
using Polly;
using RabbitMQ.Client;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>Two connections: an alarm in the broker blocks every connection that has published, and what is consumed must still be acknowledged then.</summary>
internal sealed class RabbitConnections(BrokerOptions options, BreakerOptions breaker, ChaosSwitch chaos, TimeProvider time, ILogger<RabbitConnections> logger) : IBrokerState, IAsyncDisposable
{
    private readonly RabbitLink _publishing = new(options, "publish", time, logger);
    private readonly RabbitLink _consuming = new(options, "consume", time, logger);
    private readonly ConcurrentDictionary<RabbitConsumer, bool> _consumers = new();
    private readonly Breaker _breaker = new("broker", static error => error is BrokerUnavailableException,
        static () => new BrokerUnavailableException("The broker did not answer just now; it is tried again in a moment."), breaker,
        chaos.Calls(ChaosTargets.Broker, static () => new BrokerUnavailableException("The broker was made to fail (chaos).")), time, logger);
    private readonly ResiliencePipeline<bool> _losses = chaos.Outcomes(ChaosTargets.Broker, static () => Outcome.FromResult(true));

    public IReadOnlyList<(string Name, TimeSpan? Silence)> Consumers => _consumers.Keys.Where(c => !c.IsLeaving).Select(c => (c.Name, c.Silence)).ToArray();

    public RabbitPublisher Publisher(bool confirms, Action<IReadOnlyBasicProperties>? returned = null) => new(_publishing, _breaker, _losses, options, confirms, returned);

    public Circuit Circuit => _breaker.State;

    public string? Alarm => _publishing.Alarm;

    /// <summary>The broker stopped to take messages: also replies are stuck with their workers.</summary>
    public event Action<string>? AlarmRaised
    {
        add => _publishing.AlarmRaised += value;
        remove => _publishing.AlarmRaised -= value;
    }

    public RabbitConsumer Consume(Consumption what)
    {
        foreach (var left in _consumers.Keys.Where(c => c.HasLeft))
            _consumers.TryRemove(left, out _);
        var consumer = new RabbitConsumer(what, _consuming, time, logger);
        _consumers[consumer] = true;
        return consumer;
    }

    public async ValueTask DisposeAsync()
    {
        await _consuming.DisposeAsync();
        await _publishing.DisposeAsync();
    }
}
