using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Messages;
using Polly;
using Polly.Simmy;
using Polly.Simmy.Fault;
using Polly.Simmy.Latency;
using Polly.Simmy.Outcomes;

namespace Millrace.Hosting.Chaos;

/// <summary>What is ordered now, and Polly's chaos strategies that obey it. Where chaos is not enabled its pipelines are empty and orders are not even heard.</summary>
public sealed class ChaosSwitch(ChaosOptions options, TimeProvider time, ILogger<ChaosSwitch> logger)
{
    private readonly ConcurrentDictionary<string, (ChaosOrder Order, DateTimeOffset Until)> _orders = new();

    public bool IsEnabled => options.Enabled;

    /// <summary>Orders that hold in this process, each with its end.</summary>
    public IReadOnlyList<(ChaosOrder Order, DateTimeOffset Until)> Active => [.. _orders.Values.Where(o => o.Until > time.GetUtcNow())];

    public void Obey(ChaosOrder order)
    {
        if (!options.Enabled || (order.Scope.Length > 0 && order.Scope != options.Scope) || !ChaosTargets.All.Contains(order.Target))
            return;
        var until = time.GetUtcNow() + TimeSpan.FromSeconds(Math.Clamp(order.DurationSeconds, 0, ChaosTargets.LongestSeconds));
        _orders[order.Target] = (order, order.Kind == ChaosTargets.None ? DateTimeOffset.MinValue : until);
        logger.ChaosOrdered(order.Target, order.Kind, order.Rate, order.LatencyMs, order.DurationSeconds);
    }

    /// <summary>Latency and faults before a call.</summary>
    /// <param name="fault">What a failing call throws.</param>
    public ResiliencePipeline Calls(string target, Func<Exception> fault)
    {
        if (!options.Enabled)
            return ResiliencePipeline.Empty;
        return new ResiliencePipelineBuilder { TimeProvider = time }
            .AddChaosLatency(new ChaosLatencyStrategyOptions
            {
                EnabledGenerator = _ => new(Find(target, ChaosTargets.Latency) is not null),
                InjectionRateGenerator = _ => new(Rate(target)),
                LatencyGenerator = _ => new(TimeSpan.FromMilliseconds(Find(target, ChaosTargets.Latency)?.LatencyMs ?? 0)),
            })
            .AddChaosFault(new ChaosFaultStrategyOptions
            {
                EnabledGenerator = _ => new(Find(target, ChaosTargets.Fault) is not null),
                InjectionRateGenerator = _ => new(Rate(target)),
                FaultGenerator = _ => new(fault()),
            })
            .Build();
    }

    /// <summary>Instead of a call: its outcome without its effect.</summary>
    public ResiliencePipeline<T> Outcomes<T>(string target, Func<Outcome<T>> outcome)
    {
        if (!options.Enabled)
            return ResiliencePipeline<T>.Empty;
        return new ResiliencePipelineBuilder<T> { TimeProvider = time }
            .AddChaosOutcome(new ChaosOutcomeStrategyOptions<T>
            {
                EnabledGenerator = _ => new(Find(target, ChaosTargets.Outcome) is not null),
                InjectionRateGenerator = _ => new(Rate(target)),
                OutcomeGenerator = _ => new(outcome()),
            })
            .Build();
    }

    internal IDisposable? Listen(IEventBus events) => options.Enabled ? events.Subscribe<ChaosOrder>(Obey) : null;

    private ChaosOrder? Find(string target, string kind) =>
        _orders.TryGetValue(target, out var entry) && entry.Order.Kind == kind && entry.Until > time.GetUtcNow() ? entry.Order : null;

    private double Rate(string target) => _orders.TryGetValue(target, out var entry) ? Math.Clamp(entry.Order.Rate, 0, 1) : 0;
}

/// <summary>What can be ordered.</summary>
public static class ChaosTargets
{
    public const string Broker = "broker";
    public const string Store = "store";
    public const string Model = "model";

    public const string Latency = "latency";
    public const string Fault = "fault";
    public const string Outcome = "outcome";
    public const string None = "none";

    /// <summary>An order that nobody takes back must not last.</summary>
    public const int LongestSeconds = 3600;

    public static readonly IReadOnlyList<string> All = [Broker, Store, Model];

    public static readonly IReadOnlyList<string> Kinds = [Latency, Fault, Outcome];
}
