using Microsoft.Extensions.Configuration;
using Millrace.Hosting.Configuration;

namespace Millrace.Hosting.Servers;

/// <summary>Processes that are not everything in one can meet only in servers.</summary>
public static class ServerAddresses
{
    private static readonly string[] Needed = ["Millrace:Broker:Url", "Millrace:Store:Url"];

    /// <exception cref="StartupException">An address is missing.</exception>
    public static void MustBeSet(IConfiguration configuration)
    {
        string[] missing = [.. Needed.Where(name => string.IsNullOrEmpty(configuration[name]))];
        if (missing.Length > 0)
        {
            throw new StartupException($"{string.Join(" and ", missing)}: not set; API and worker as processes of their own meet in RabbitMQ (amqp://user:password@host:5672/vhost) "
                + "and PostgreSQL (postgres://user:password@host:5432/database). Without servers, start Standalone, which is both in one process");
        }
    }
}
