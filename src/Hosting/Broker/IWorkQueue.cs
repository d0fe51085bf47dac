using Millrace.Messages;

namespace Millrace.Hosting.Broker;

/// <summary>The worker's end of both lanes.</summary>
public interface IWorkQueue
{
    /// <summary>Attaches to <c>infer.{model}</c>. The handler's answer is the reply.</summary>
    /// <param name="prefetch">Packs in work at once.</param>
    IAsyncDisposable ConsumePacks(string model, int prefetch, Func<InferPack, Task<InferReply>> handler);

    /// <summary>Attaches to <c>jobs.{model}</c>. The handler's return is the ack; disposing gives back what it has not finished.</summary>
    /// <param name="prefetch">Tickets in work at once, asked again whenever one is done: a worker takes no more than it can claim for.</param>
    IAsyncDisposable ConsumeTickets(string model, Func<int> prefetch, Func<RunJob, Task> handler);
}
