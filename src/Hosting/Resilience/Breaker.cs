using Microsoft.Extensions.Logging;
using Polly;
using Polly.CircuitBreaker;

namespace Millrace.Hosting.Resilience;

/// <summary>When the circuits around broker and store open.</summary>
public sealed class BreakerOptions
{
    /// <summary>Calls within <see cref="Window"/> before the failures among them count. 2 to 10,000.</summary>
    public int MinimumCalls { get; set; } = 5;

    /// <summary>The share of failed calls at which a circuit opens. 0.01 to 1.</summary>
    public double FailureRatio { get; set; } = 0.5;

    /// <summary>How far back calls are counted. 500 ms to 10 min.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long an open circuit refuses at once, before one call may try. 500 ms to 1 min.</summary>
    public TimeSpan OpenFor { get; set; } = TimeSpan.FromSeconds(1);
}

/// <summary>What an operator sees of a circuit.</summary>
public enum Circuit
{
    Closed,
    Open,
    HalfOpen,
}

/// <summary>A circuit breaker: when most calls fail, further ones are refused at once, until one of them may try and succeeds.</summary>
/// <remarks>By Polly; its state says "open" until the first call after the pause.</remarks>
public sealed class Breaker
{
    private readonly ResiliencePipeline _pipeline;
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly Func<Exception> _refusal;
    private volatile bool _told;

    /// <param name="isFailure">Failures of what is behind, not of a call's own content.</param>
    /// <param name="refusal">What a caller gets while the circuit is open.</param>
    /// <param name="inner">What each call that may pass goes through.</param>
    public Breaker(string name, Func<Exception, bool> isFailure, Func<Exception> refusal, BreakerOptions options, ResiliencePipeline inner, TimeProvider time, ILogger logger)
    {
        (Name, _refusal) = (name, refusal);
        _pipeline = new ResiliencePipelineBuilder { TimeProvider = time }.AddCircuitBreaker(new CircuitBreakerStrategyOptions
        {
            FailureRatio = options.FailureRatio,
            MinimumThroughput = options.MinimumCalls,
            SamplingDuration = options.Window,
            BreakDuration = options.OpenFor,
            StateProvider = _state,
            ShouldHandle = outcome => ValueTask.FromResult(outcome.Outcome.Exception is { } error && isFailure(error)),
            OnOpened = opened =>
            {
                if (!_told) // once, not at every try that fails
                    logger.CircuitOpened(name, opened.Outcome.Exception?.Message ?? "");
                _told = true;
                return ValueTask.CompletedTask;
            },
            OnClosed = _ =>
            {
                logger.CircuitClosed(name);
                _told = false;
                return ValueTask.CompletedTask;
            },
        }).AddPipeline(inner).Build();
    }

    public string Name { get; }

    public Circuit State => _state.CircuitState switch
    {
        CircuitState.Closed => Circuit.Closed,
        CircuitState.HalfOpen => Circuit.HalfOpen,
        _ => Circuit.Open,
    };

    public async Task<T> RunAsync<T>(Func<Task<T>> call)
    {
        try { return await _pipeline.ExecuteAsync(static async (call, _) => await call(), call, CancellationToken.None); }
        catch (BrokenCircuitException) { throw _refusal(); }
    }
}
