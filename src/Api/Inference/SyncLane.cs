using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Millrace.Api.Errors;
using Millrace.Api.Models;
using Millrace.Api.Traffic;
using Millrace.Hosting.Broker;
using Millrace.Messages;

namespace Millrace.Api.Inference;

/// <summary>Requests answered on the same connection: no store, a deadline, and a stop for what nobody waits for any more.</summary>
internal sealed class SyncLane(
    IInferenceQueue queue, IEventBus events, ModelCatalog catalog, TrafficMeter traffic, SyncLaneOptions options, TimeProvider time, ILogger<SyncLane> logger) : IDisposable
{
    private readonly ConcurrentDictionary<string, Coalescer> _models = new();

    /// <param name="body">The encoded request.</param>
    /// <exception cref="RefusedException">503 when too many requests are in work.</exception>
    /// <exception cref="OperationCanceledException">The client left.</exception>
    public async Task<InferOutcome> SendAsync(
        string model, string? modelVersion, InferenceSettings settings, ReadOnlyMemory<byte> body, CancellationToken clientLeft)
    {
        var timeout = settings.Timeout is { } asked && asked < options.Timeout ? asked : options.Timeout;
        var request = new PendingRequest(modelVersion, settings.Priority, timeout, body, time);
        var coalescer = _models.GetOrAdd(model, Open);
        RefuseIfLate(coalescer, model, timeout);
        if (!coalescer.TryAdd(request))
            throw new RefusedException(new Refusal(ErrorCode.QueueFull, $"Model {model} has {options.MaxRequests} requests in work; send a job, or try again.") { RetryAfter = 1 });
        var began = time.GetTimestamp();
        var outcome = await EndAsync(request, timeout, clientLeft);
        traffic.Note(model, modelVersion, outcome.Failure, timeout, time.GetElapsedTime(began));
        return outcome;
    }

    private async Task<InferOutcome> EndAsync(PendingRequest request, TimeSpan timeout, CancellationToken clientLeft)
    {
        try
        {
            return await request.Outcome.WaitAsync(timeout, time, clientLeft);
        }
        catch (TimeoutException)
        {
            await GiveUpAsync(request);
            return new InferOutcome { Id = request.Id, Failure = InferFailure.DeadlineExceeded, Detail = $"No answer within {timeout.TotalSeconds} s." };
        }
        catch (OperationCanceledException) when (clientLeft.IsCancellationRequested)
        {
            await GiveUpAsync(request);
            throw;
        }
    }

    /// <summary>Refused at once, it costs nobody anything; late, it would cost those behind it too.</summary>
    private void RefuseIfLate(Coalescer coalescer, string model, TimeSpan timeout)
    {
        var (wait, most) = options.MaxWait > TimeSpan.Zero && coalescer.Backlog > options.MaxWait ? (coalescer.Backlog, options.MaxWait) : (coalescer.Wait, timeout);
        if (wait <= most)
            return;
        var seconds = (int)Math.Clamp(Math.Ceiling((wait - most).TotalSeconds), 1, 60);
        var detail = $"A request to {model} would wait about {wait.TotalSeconds:0.###} s, and may wait {most.TotalSeconds} s; send a job, or try again.";
        throw new RefusedException(new Refusal(ErrorCode.QueueFull, detail) { RetryAfter = seconds });
    }

    /// <summary>Requests in work or waiting for each model, how fast they are answered, and how long a newcomer would wait.</summary>
    public IEnumerable<(string Model, int Requests, double? PerSecond, TimeSpan Wait)> State => _models.Select(m => (m.Key, m.Value.Requests, m.Value.PerSecond, m.Value.Wait));

    public void Dispose()
    {
        foreach (var coalescer in _models.Values)
            coalescer.Dispose();
    }

    private async Task GiveUpAsync(PendingRequest request)
    {
        request.TryEnd(new InferOutcome { Id = request.Id, Failure = InferFailure.DeadlineExceeded });
        if (request.HasLeft)
            await events.PublishAsync(new StopRuns { Ids = [request.Id] }, CancellationToken.None);
    }

    private Coalescer Open(string model) => new(model, () => MostOut(model), () => LargestBatch(model), queue, options, time, logger);

    private int LargestBatch(string model) => Math.Max(1, catalog.Find(model)?.Main?.MaxBatchSize ?? 1);

    private int MostOut(string model) =>
        options.Outstanding > 0 ? options.Outstanding : Math.Max(2, 2 * (catalog.Find(model)?.Instances ?? 0));
}
