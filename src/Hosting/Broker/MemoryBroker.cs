using System.Collections.Concurrent;
using System.Threading.Channels;
using Millrace.Hosting.Resilience;
using Millrace.Messages;

namespace Millrace.Hosting.Broker;

/// <summary>All queues in this process, straight across: for one process that is API and worker both. What is in it dies with the process, as a hint may.</summary>
public sealed class MemoryBroker : IInferenceQueue, ITicketQueue, IEventBus, IWorkQueue, IDeadLetterQueue, IBrokerState
{
    private readonly ConcurrentDictionary<string, MemoryQueue<PackDelivery>> _packs = new();
    private readonly ConcurrentDictionary<string, MemoryQueue<RunJob>> _tickets = new();
    private readonly ConcurrentDictionary<Type, Delegate?> _handlers = new();

    public async Task<InferReply> SendAsync(InferPack pack, CancellationToken cancellation)
    {
        var delivery = new PackDelivery(pack);
        Packs(pack.Model).Add(delivery);
        await using var given = cancellation.Register(() => delivery.Reply.TrySetCanceled(cancellation)); // what waits in the queue is skipped then
        return await delivery.Reply.Task;
    }

    public Task PublishAsync(IReadOnlyList<RunJob> tickets, CancellationToken cancellation)
    {
        foreach (var ticket in tickets)
            Tickets(ticket.Model).Add(ticket);
        return Task.CompletedTask;
    }

    public Task<int> CountAsync(string model, CancellationToken cancellation) => Task.FromResult(Tickets(model).Count);

    public Task PublishAsync<T>(T message, CancellationToken cancellation) where T : class
    {
        if (_handlers.TryGetValue(typeof(T), out var handlers))
            ((Action<T>?)handlers)?.Invoke(message);
        return Task.CompletedTask;
    }

    public IDisposable Subscribe<T>(Action<T> handler) where T : class
    {
        _handlers.AddOrUpdate(typeof(T), handler, (_, present) => Delegate.Combine(present, handler));
        return new Subscription(() => _handlers.AddOrUpdate(typeof(T), _ => null, (_, present) => Delegate.Remove(present, handler)));
    }

    public Task DeclareAsync(string model, CancellationToken cancellation) => Task.CompletedTask;

    /// <summary>Enough that a free instance always finds company for the first in line, and that priorities hold among many.</summary>
    private const int PacksPerInstance = 1024;

    public IWorkConsumer ConsumePacks(string model, Func<int> instances, Func<InferPack, Task<InferReply>> handler) =>
        Packs(model).Consume(() => PacksPerInstance * Math.Max(1, instances()), async delivery =>
        {
            if (delivery.Reply.Task.IsCompleted)
                return; // expired in the queue
            try { delivery.Reply.TrySetResult(await handler(delivery.Pack)); }
            catch (Exception error) { delivery.Reply.TrySetException(error); } // it is the waiting caller's to hear
        });

    public IWorkConsumer ConsumeTickets(string model, Func<int> prefetch, Func<RunJob, Task> handler) => Tickets(model).Consume(prefetch, handler);

    /// <summary>Nothing here can be unreadable, and nothing is given up.</summary>
    public IWorkConsumer Consume(Func<DeadMessage, Task> handler) => new MemoryQueue<DeadMessage>().Consume(() => 1, handler);

    public IReadOnlyList<(string Name, TimeSpan? Silence)> Consumers => [];

    public Circuit Circuit => Circuit.Closed;

    public string? Alarm => null;

    private MemoryQueue<PackDelivery> Packs(string model) => _packs.GetOrAdd(model, _ => new MemoryQueue<PackDelivery>());

    private MemoryQueue<RunJob> Tickets(string model) => _tickets.GetOrAdd(model, _ => new MemoryQueue<RunJob>());

    private sealed record PackDelivery(InferPack Pack)
    {
        public TaskCompletionSource<InferReply> Reply { get; } = new(); // who waits only hands the outcomes on: not worth another thread
    }

    private sealed class Subscription(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}

/// <summary>A queue with consumers that take up to so many at once; unbounded, since both senders bound what they have out.</summary>
internal sealed class MemoryQueue<T>
{
    private readonly Channel<T> _waiting = Channel.CreateUnbounded<T>();

    public int Count => _waiting.Reader.Count;

    public void Add(T item) => _waiting.Writer.TryWrite(item);

    public IWorkConsumer Consume(Func<int> prefetch, Func<T, Task> handler) => new Consumer(this, prefetch, handler);

    private sealed class Consumer : IWorkConsumer
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly SemaphoreSlim _freed = new(0);
        private readonly MemoryQueue<T> _queue;
        private readonly Func<int> _prefetch;
        private readonly Func<T, Task> _handler;
        private readonly Task _loop;
        private int _inWork;

        public Consumer(MemoryQueue<T> queue, Func<int> prefetch, Func<T, Task> handler)
        {
            (_queue, _prefetch, _handler) = (queue, prefetch, handler);
            _loop = Task.Run(RunAsync);
        }

        public void StopTaking() { } // what waits here nobody else can take

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _loop;
            _stop.Dispose();
        }

        private async Task RunAsync()
        {
            try
            {
                while (true)
                {
                    while (Volatile.Read(ref _inWork) >= _prefetch())
                        await _freed.WaitAsync(_stop.Token);
                    var item = await _queue._waiting.Reader.ReadAsync(_stop.Token);
                    Interlocked.Increment(ref _inWork);
                    _ = HandleAsync(item);
                }
            }
            catch (OperationCanceledException) { } // disposed; what waits stays for the next consumer
        }

        private async Task HandleAsync(T item)
        {
            try { await _handler(item); }
            catch (Exception) { _queue.Add(item); } // not acknowledged: delivered again
            Interlocked.Decrement(ref _inWork);
            _freed.Release();
        }
    }
}
