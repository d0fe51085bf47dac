using System.Collections.Frozen;
using static Millrace.Storage.Jobs.JobState;

namespace Millrace.Storage.Jobs;

/// <summary>Where a job stands. The numbers are stored: never renumber.</summary>
public enum JobState
{
    Queued = 0,
    Running = 1,
    Succeeded = 2,
    Failed = 3,
    Canceled = 4,
    Expired = 5,
}

/// <summary>The state machine as a table: the stores keep it with their WHERE clauses, and a test walks it.</summary>
public static class JobTransitions
{
    public static readonly FrozenSet<(JobState From, JobState To)> Legal = FrozenSet.Create(
        (Queued, Running), (Running, Queued), // claim; retry, lost lease or drain
        (Running, Succeeded), (Running, Failed), (Running, Canceled), (Queued, Canceled),
        (Queued, Expired), (Queued, Failed)); // past expires_at: never started; after an attempt

    public static bool IsFinal(this JobState state) => state >= Succeeded;
}
