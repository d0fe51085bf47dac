using Millrace.Hosting.Broker;
using Millrace.Hosting.Configuration;
using Millrace.Storage;

namespace Millrace.Hosting.Servers;

/// <summary>For programs that do one thing and end: on a first install, the servers may still be starting.</summary>
public static class Servers
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <exception cref="StartupException">A server did not come within a minute, or what it said can be mended.</exception>
    public static async Task WaitAsync(Func<Task> use, TimeProvider time)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            try
            {
                await use();
                return;
            }
            catch (Exception error) when (IsAway(error))
            {
                if (time.GetElapsedTime(began) > Patience)
                    throw new StartupException($"gave up after {Patience.TotalSeconds} s: {error.Message}", error);
            }
            await Task.Delay(RetryAfter, time);
        }
    }

    private static bool IsAway(Exception error) => error is StoreUnavailableException or BrokerUnavailableException || error.InnerException is StoreUnavailableException;
}
