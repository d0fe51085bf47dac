namespace Millrace.Messages;

/// <summary>A ticket: one dispatched job of this model may be claimed. A hint: losing it costs time, never the job.</summary>
public sealed record RunJob
{
    public required Guid JobId { get; init; }
    public required string Model { get; init; }
}
