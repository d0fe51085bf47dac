namespace Millrace.Api.Traffic;

/// <summary>When a version on trial is taken out of the traffic: one that has a share of the calls that name no version, and not the largest.</summary>
public sealed class TrafficOptions
{
    /// <summary>The time that is judged: calls older than this are forgotten. 1 s to 1 h.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The longest time within which 95 of 100 synchronous calls must be answered. 1 ms to 60 s; at 60 s, times are not judged.</summary>
    public TimeSpan LongestP95 { get; set; } = TimeSpan.FromMilliseconds(300);

    /// <summary>The largest share of synchronous calls that may fail by the model's doing. 0 to 1; at 1, failures are not judged.</summary>
    public double MostErrors { get; set; } = 0.02;

    /// <summary>Calls in the window before a version is judged. 1 to 1,000,000.</summary>
    public int LeastCalls { get; set; } = 50;
}
