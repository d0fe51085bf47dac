namespace Millrace.Hosting.Broker;

/// <summary>Messages that can't be read, and tickets that the broker gave up: queue <c>dead.jobs</c>.</summary>
public interface IDeadLetterQueue
{
    /// <param name="handler">Its end is the ack.</param>
    IWorkConsumer Consume(Func<DeadMessage, Task> handler);
}

/// <param name="Id">Of the message, where it has one: the same for each delivery.</param>
/// <param name="Queue">Where it was.</param>
/// <param name="Reason">Why it is here: the broker's word (<c>delivery_limit</c>, <c>rejected</c>), or what could not be read.</param>
/// <param name="JobId">Of a ticket that can be read.</param>
public sealed record DeadMessage(string Id, string Queue, string Reason, Guid? JobId, ReadOnlyMemory<byte> Body);
