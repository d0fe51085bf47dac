using Millrace.Messages;

namespace Millrace.Hosting.Broker;

/// <summary>The worker's end of both lanes.</summary>
public interface IWorkQueue
{
    /// <summary>Both queues of the model are there when it returns, so that what scales workers by them finds them.</summary>
    /// <exception cref="BrokerUnavailableException">The broker does not answer.</exception>
    Task DeclareAsync(string model, CancellationToken cancellation);

    /// <summary>Attaches to <c>infer.{model}</c>. The handler's answer is the reply.</summary>
    /// <param name="instances">Runs that the worker makes at once, asked again from time to time; the broker decides how many packs to hold for them.</param>
    IWorkConsumer ConsumePacks(string model, Func<int> instances, Func<InferPack, Task<InferReply>> handler);

    /// <summary>Attaches to <c>jobs.{model}</c>. The handler's return is the ack.</summary>
    /// <param name="prefetch">Tickets in work at once, asked again from time to time: a worker takes no more than it can claim for.</param>
    IWorkConsumer ConsumeTickets(string model, Func<int> prefetch, Func<RunJob, Task> handler);
}

/// <summary>An attached consumer. Disposing gives back what it has not finished.</summary>
public interface IWorkConsumer : IAsyncDisposable
{
    /// <summary>Leaves further messages to other consumers; what was taken may end. Nothing where there is no other consumer.</summary>
    void StopTaking();
}
