using Millrace.Messages;

namespace Millrace.Hosting.Broker;

/// <summary>The API's end of the durable lane: queue <c>jobs.{model}</c>. A ticket may be lost or come twice; the store knows what is owed.</summary>
public interface ITicketQueue
{
    /// <exception cref="BrokerUnavailableException">Not all tickets were confirmed.</exception>
    Task PublishAsync(IReadOnlyList<RunJob> tickets, CancellationToken cancellation);

    /// <summary>Tickets of a model that no worker has taken yet.</summary>
    Task<int> CountAsync(string model, CancellationToken cancellation);
}
