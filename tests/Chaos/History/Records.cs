namespace Millrace.Chaos.History;

/// <summary>All that was recorded of a run: what clients did and saw, what the store held, what workers ran.</summary>
public sealed record History(IReadOnlyList<ClientOperation> Client, IReadOnlyList<Transition> Store, IReadOnlyList<RunStart> Runs);

public enum ClientKind
{
    Submit,
    Cancel,
    Read,
}

/// <summary>What a client knows of an operation: it happened, it did not, or nobody can say (no answer, 5xx).</summary>
public enum Certainty
{
    Ok,
    Fail,
    Info,
}

/// <param name="Key">Of a submission: the same for each of its repeats.</param>
/// <param name="Id">The job, where an answer named it.</param>
/// <param name="State">What an answer said of it.</param>
/// <param name="Result">A hash of the result that was read.</param>
/// <param name="Expected">A hash of the result that would be right; null where that is not known.</param>
public sealed record ClientOperation(ClientKind Kind, Certainty Certainty, string Key, Guid? Id, string? State = null, string? Result = null, string? Expected = null);

/// <summary>One change of a job's row, as a trigger of the database saw it.</summary>
/// <param name="From">Null: it was inserted. States as the database has them: 0 queued, 1 running, 2 succeeded, 3 failed, 4 canceled, 5 expired.</param>
/// <param name="To">Null: it was deleted.</param>
/// <param name="At">Microseconds since 1970.</param>
public sealed record Transition(long Order, Guid Id, int? From, int? To, long Version, long Fence, int Attempt, int MaxAttempts, string? Key, bool HasError, Guid? ReplayOf, long At = 0);

/// <summary>A run that a worker began.</summary>
/// <param name="EndedAt">When the graph had ended, in microseconds since 1970; null when nobody saw it.</param>
public sealed record RunStart(Guid Id, int Attempt, long Fence, long? EndedAt = 0);

/// <summary>A broken promise: the invariant's number in the list of guarantees, and what was seen.</summary>
public sealed record Violation(string Invariant, string What);

/// <summary>The counts that every report shows.</summary>
/// <param name="Lost">Accepted, and without a final state.</param>
/// <param name="Recovered">Without an answer, and stored nevertheless.</param>
/// <param name="Unexpected">Stored or run, and asked for by nobody.</param>
/// <param name="Duplicated">Stored, or ended, more than once.</param>
public sealed record Counts(int Accepted, int Lost, int Recovered, int Unexpected, int Duplicated, int ExtraRuns);
