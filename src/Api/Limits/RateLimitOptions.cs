namespace Millrace.Api.Limits;

/// <summary>How many requests a caller may make in each window of the store's clock. The limits hold over all replicas together.</summary>
public sealed class RateLimitOptions
{
    /// <summary>Requests of one key in a window, where the key has no limit of its own. Empty: 100 where keys are needed, and none on an open server, where it counts by address. 0: none.</summary>
    public int? Requests { get; set; }

    /// <summary>Length of a window; the whole quota may be used at its beginning. 1 s to 1 h, whole seconds.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Requests of all keys of one tenant together in a window. 0: none.</summary>
    public int TenantRequests { get; set; } = 1000;

    /// <summary>The same for single tenants: the setting's last part is the tenant.</summary>
    public Dictionary<string, int> Tenants { get; set; } = [];

    /// <summary>Requests of one key for single models in a window: the setting's last part is the model. They count besides the key's own.</summary>
    public Dictionary<string, int> Models { get; set; } = [];
}
