namespace Millrace.Messages;

/// <summary>Nobody wants these runs any more: canceled jobs, or requests whose client left. Fanned out to every worker.</summary>
public sealed record StopRuns
{
    /// <summary>Job ids and ids of synchronous requests (<see cref="InferItem.Id"/>); both are random, so they never meet.</summary>
    public required IReadOnlyList<Guid> Ids { get; init; }
}
