namespace Millrace.Api.Models;

/// <summary>Loading and unloading of models on request.</summary>
public sealed class RepositoryOptions
{
    /// <summary>How long a load or unload waits until every worker has done it; then it is answered with 504, and goes on. 1 s to 1 h.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a load of a model that no worker has waits until one finds it in its repository; then it is answered with 404. 100 ms to 10 min.</summary>
    public TimeSpan FindTimeout { get; set; } = TimeSpan.FromSeconds(5);
}
