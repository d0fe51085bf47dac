namespace Millrace.Rehearsal.Run;

/// <summary>The load: nothing; then one synchronous request that finds no worker; then jobs at a growing pace, a burst, the pace again, a few, and nothing, with synchronous requests all along.</summary>
/// <param name="Factor">What all periods of the chart are divided by.</param>
/// <param name="Floor">No period becomes shorter: the lag of the broker's statistics.</param>
/// <param name="Milliseconds">About what a run takes, of processor.</param>
/// <param name="JobsPerSecond">At the end of the ramp, and after the burst.</param>
/// <param name="Burst">Jobs that come at once.</param>
/// <param name="Few">Five jobs a second for so long: one worker would do, and the others are taken away in steps.</param>
internal sealed record Plan(
    double Factor, TimeSpan Floor, int Milliseconds, TimeSpan Idle, TimeSpan Ramp, double JobsPerSecond, int Burst, TimeSpan After, TimeSpan Few, double CallsPerSecond)
{
    /// <summary>In under a minute, on a broker that counts every second: its figures are then 2 s old.</summary>
    public static Plan Short { get; } = new(50, TimeSpan.FromSeconds(2), 60, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4), 10, 80, TimeSpan.FromSeconds(2), TimeSpan.Zero, 3);

    public static Plan Full { get; } = new(10, TimeSpan.FromSeconds(5), 100, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(30), 15, 300, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(90), 4);
}

/// <summary>When a part of the plan began.</summary>
internal sealed record Phase(string Name, TimeSpan At);
