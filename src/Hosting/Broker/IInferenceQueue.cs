using Millrace.Messages;

namespace Millrace.Hosting.Broker;

/// <summary>The API's end of the sync lane: queue <c>infer.{model}</c> and the replies.</summary>
public interface IInferenceQueue
{
    /// <summary>Sends a pack and waits for its one reply. With no worker attached it waits for one.</summary>
    /// <exception cref="BrokerUnavailableException">The pack can't be handed over now.</exception>
    Task<InferReply> SendAsync(InferPack pack, CancellationToken cancellation);
}
