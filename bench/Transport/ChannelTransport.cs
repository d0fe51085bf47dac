using System.Threading.Channels;

namespace Millrace.Transport;

/// <summary>Straight across: a queue, one reader, and a completion source for the reply.</summary>
internal sealed class ChannelTransport : ITransport
{
    private readonly Channel<(Pack Pack, TaskCompletionSource<PackReply> Reply)> _packs =
        Channel.CreateBounded<(Pack, TaskCompletionSource<PackReply>)>(1024);

    private readonly Channel<Ticket> _tickets = Channel.CreateBounded<Ticket>(1024);
    private readonly TicketCount _consumed = new();
    private readonly Task _readers;

    public ChannelTransport() => _readers = Task.WhenAll(Task.Run(AnswerAsync), Task.Run(ConsumeAsync));

    public async Task<PackReply> AskAsync(Pack pack)
    {
        var reply = new TaskCompletionSource<PackReply>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _packs.Writer.WriteAsync((pack, reply));
        return await reply.Task;
    }

    public ValueTask PublishAsync(Ticket ticket) => _tickets.Writer.WriteAsync(ticket);

    public Task ConsumedAsync(int count) => _consumed.ExpectAsync(count);

    public async ValueTask DisposeAsync()
    {
        _packs.Writer.Complete();
        _tickets.Writer.Complete();
        await _readers;
    }

    private async Task AnswerAsync()
    {
        await foreach (var (pack, reply) in _packs.Reader.ReadAllAsync())
            reply.SetResult(pack.Echo());
    }

    private async Task ConsumeAsync()
    {
        await foreach (var _ in _tickets.Reader.ReadAllAsync())
            _consumed.Add();
    }
}
