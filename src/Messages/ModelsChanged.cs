namespace Millrace.Messages;

/// <summary>A worker announced another set of models to the store. A hint to read it again.</summary>
public sealed record ModelsChanged
{
    public required string Worker { get; init; }
}
