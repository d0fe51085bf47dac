namespace Millrace.Transport;

/// <summary>A way from one part of a process to another.</summary>
internal interface ITransport : IAsyncDisposable
{
    Task<PackReply> AskAsync(Pack pack);

    ValueTask PublishAsync(Ticket ticket);

    /// <summary>Completes when <paramref name="count"/> tickets, counted from this call, have been consumed.</summary>
    Task ConsumedAsync(int count);
}

/// <summary>What the consumer of tickets does with them: it counts.</summary>
internal sealed class TicketCount
{
    private TaskCompletionSource _reached = new();
    private int _left;

    public Task ExpectAsync(int count)
    {
        _reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _left, count);
        return _reached.Task;
    }

    public void Add()
    {
        if (Interlocked.Decrement(ref _left) == 0)
            _reached.SetResult();
    }
}
