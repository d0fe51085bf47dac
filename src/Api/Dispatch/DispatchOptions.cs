namespace Millrace.Api.Dispatch;

/// <summary>How queued jobs reach the broker.</summary>
public sealed class DispatchOptions
{
    /// <summary>How often the windows are refilled when nothing asks for it sooner. 10 ms to 1 min.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMilliseconds(250);
}
