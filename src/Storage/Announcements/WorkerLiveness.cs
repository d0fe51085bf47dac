namespace Millrace.Storage.Announcements;

/// <summary>How often a worker says that it is alive, and how long the API believes it.</summary>
public static class WorkerLiveness
{
    public static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan AliveWithin = TimeSpan.FromSeconds(15);
}
