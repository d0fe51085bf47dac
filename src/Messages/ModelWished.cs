namespace Millrace.Messages;

/// <summary>Somebody wants a model loaded or unloaded. A hint to read the wishes in the store.</summary>
public sealed record ModelWished
{
    public required string Model { get; init; }
}
