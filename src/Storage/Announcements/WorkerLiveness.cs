namespace Millrace.Storage.Announcements;

/// <summary>How often a worker says that it is alive, how long the API believes it, and how long its models are remembered.</summary>
public static class WorkerLiveness
{
    public static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan AliveWithin = TimeSpan.FromSeconds(15);

    /// <summary>Models that are seldom asked for have no worker for weeks.</summary>
    public static readonly TimeSpan RememberedFor = TimeSpan.FromDays(30);
}
