namespace Millrace.Hosting.Broker;

/// <summary>Events that every process hears. Losing one costs time, never a job.</summary>
public interface IEventBus
{
    Task PublishAsync<T>(T message, CancellationToken cancellation) where T : class;

    /// <param name="handler">Runs on the publisher's or the transport's thread: short, and without waiting.</param>
    IDisposable Subscribe<T>(Action<T> handler) where T : class;
}
