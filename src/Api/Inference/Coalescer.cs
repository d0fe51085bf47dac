using Microsoft.Extensions.Logging;
using Millrace.Api.Backlog;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;

namespace Millrace.Api.Inference;

/// <summary>The sync lane of one model. While fewer than K messages are out, a request leaves at once, alone; else requests wait, and leave together with
/// the next message, or when the first of them has waited long enough.</summary>
internal sealed class Coalescer : IDisposable
{
    private readonly Lock _gate = new();
    private readonly PriorityQueue<PendingRequest, (int Priority, long Arrival)> _waiting = new();
    private readonly string _model;
    private readonly Func<int> _mostOut;
    private readonly Func<int> _largestBatch;
    private readonly IInferenceQueue _queue;
    private readonly SyncLaneOptions _options;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private readonly BusyRate _rate;
    private long _arrivals;
    private int _out;
    private int _requests;

    /// <param name="mostOut">K, asked anew for each request: workers come and go.</param>
    /// <param name="largestBatch">Most rows of one run: a larger pack would make its first wait for the run of its last.</param>
    public Coalescer(string model, Func<int> mostOut, Func<int> largestBatch, IInferenceQueue queue, SyncLaneOptions options, TimeProvider time, ILogger logger)
    {
        (_model, _mostOut, _largestBatch, _queue, _options, _logger) = (model, mostOut, largestBatch, queue, options, logger);
        _rate = new BusyRate(TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(250), time);
        _timer = time.CreateTimer(_ => SendAllWaiting(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Requests in work or waiting.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Requests a second that are answered while there is enough to do; null when nothing can be said.</summary>
    public double? PerSecond => _rate.PerSecond;

    /// <summary>How long a newcomer would wait behind what does not fit into the messages that are out; zero when nothing can be said.</summary>
    public TimeSpan Wait => PerSecond is { } rate && Requests - ((long)_mostOut() * _largestBatch()) is > 0 and var behind ? TimeSpan.FromSeconds(behind / rate) : TimeSpan.Zero;

    /// <summary>How long it would take until all that are here are answered; zero when nothing can be said.</summary>
    public TimeSpan Backlog => PerSecond is { } rate ? TimeSpan.FromSeconds(Requests / rate) : TimeSpan.Zero;

    /// <summary>False when too many requests are in work already.</summary>
    public bool TryAdd(PendingRequest request)
    {
        List<PendingRequest>? pack = null;
        lock (_gate)
        {
            if (_requests >= _options.MaxRequests)
                return false;
            if (_requests++ == 0)
                _rate.Begin();
            if (_out < _mostOut())
            {
                _out++;
                pack = [request];
            }
            else
            {
                _waiting.Enqueue(request, (request.Order, _arrivals++));
                if (_waiting.Count == 1)
                    _timer.Change(_options.LongestWait, Timeout.InfiniteTimeSpan);
            }
        }
        if (pack is not null)
            _ = SendAsync(pack);
        return true;
    }

    public void Dispose() => _timer.Dispose();

    private void SendAllWaiting()
    {
        while (true)
        {
            List<PendingRequest> pack;
            lock (_gate)
            {
                pack = TakePack();
                if (pack.Count == 0)
                    return;
                _out++;
            }
            _ = SendAsync(pack);
        }
    }

    /// <summary>As many as a message holds, by priority, then age; those whose client has left are dropped.</summary>
    private List<PendingRequest> TakePack()
    {
        var pack = new List<PendingRequest>();
        var most = Math.Min(_options.PackRequests, _largestBatch());
        long bytes = 0;
        while (pack.Count < most && bytes < _options.PackBytes && _waiting.TryDequeue(out var request, out _))
        {
            if (!request.TryLeave())
            {
                _requests--;
                continue;
            }
            pack.Add(request);
            bytes += request.Body.Length;
        }
        return pack;
    }

    private async Task SendAsync(List<PendingRequest> pack)
    {
        while (pack.Count > 0)
        {
            await ExchangeAsync(pack);
            lock (_gate)
            {
                _requests -= pack.Count;
                pack = _out <= _mostOut() ? TakePack() : [];
                if (pack.Count == 0)
                    _out--;
            }
        }
    }

    private async Task ExchangeAsync(List<PendingRequest> pack)
    {
        try
        {
            foreach (var request in pack)
                request.NoteSent(_model, pack.Count);
            var message = new InferPack { Model = _model, Items = pack.Select(r => r.ToItem()).ToArray(), SentAt = pack.Exists(r => r.Sending is not null) ? pack[0].Time.GetUtcNow() : null };
            var longest = pack.Max(r => r.Remaining);
            using var deadline = new CancellationTokenSource(longest > TimeSpan.Zero ? longest + Grace : Grace, pack[0].Time); // a lost reply must not keep the place for ever
            var reply = await _queue.SendAsync(message, deadline.Token);
            _rate.End(pack.Count); // what was not answered says nothing of the pace
            var outcomes = reply.Outcomes.ToDictionary(o => o.Id);
            foreach (var request in pack)
            {
                if (!request.TryEnd(outcomes[request.Id]))
                    _logger.LateReply(request.Id);
            }
        }
        catch (OperationCanceledException) // no reply: every deadline in the pack has passed
        {
            foreach (var request in pack)
                request.TryEnd(new InferOutcome { Id = request.Id, Failure = InferFailure.DeadlineExceeded, Detail = "No reply came." });
        }
        catch (BrokerUnavailableException error)
        {
            foreach (var request in pack)
                request.Fail(error);
        }
        catch (Exception error) // whatever it was, each caller gets an answer
        {
            _logger.PackFailed(error, pack.Count, _model);
            foreach (var request in pack)
                request.Fail(error);
        }
        finally
        {
            foreach (var request in pack)
                Spans.End(request.Sending);
        }
    }

    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);
}
