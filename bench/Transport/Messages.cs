namespace Millrace.Transport;

/// <summary>Requests packed into one message: items of <see cref="RequestBytes"/>, one after another.</summary>
public sealed record Pack
{
    public const int RequestBytes = 1024;
    public const int ReplyBytes = 40;

    public required byte[] Items { get; init; }

    /// <summary>The echo that both transports serve: the first bytes of each request.</summary>
    public PackReply Echo()
    {
        var count = Items.Length / RequestBytes;
        var reply = new byte[count * ReplyBytes];
        for (var i = 0; i < count; i++)
            Items.AsSpan(i * RequestBytes, ReplyBytes).CopyTo(reply.AsSpan(i * ReplyBytes));
        return new PackReply { Items = reply };
    }
}

/// <summary>Answers to a <see cref="Pack"/>, in its order.</summary>
public sealed record PackReply
{
    public required byte[] Items { get; init; }
}

/// <summary>One way: a job may be claimed.</summary>
public sealed record Ticket
{
    public required Guid JobId { get; init; }
    public required string Model { get; init; }
}
