namespace Millrace.Hosting.Management;

/// <summary>Where a process answers those who run it.</summary>
public sealed class ManagementOptions
{
    /// <summary>Address, <c>http://</c> and an IP address or <c>localhost</c>, of <c>/metrics</c> and of <c>/health/live</c>, <c>/health/ready</c> and <c>/health/startup</c> with their details. It must not be where clients call. Port 0 takes a free one, which the process tells at its start.</summary>
    public string Url { get; set; } = "http://127.0.0.1:0";
}
