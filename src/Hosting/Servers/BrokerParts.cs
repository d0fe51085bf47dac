using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Broker.Rabbit;
using Millrace.Hosting.Configuration;
using static Millrace.Hosting.Configuration.SettingsExtensions;

namespace Millrace.Hosting.Servers;

/// <summary>The broker: RabbitMQ where an address is set, else queues in this process's memory.</summary>
public static partial class BrokerParts
{
    public static IServiceCollection AddMillraceBroker(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings("Broker",
            new SettingRule<BrokerOptions>("Url", o => o.Url.Length == 0 || IsAddress(o.Url), _ => "it is not an address like amqp://user:password@host:5672/vhost"),
            new SettingRule<BrokerOptions>("Prefix", o => Prefix().IsMatch(o.Prefix), o => $"'{o.Prefix}' must be up to 64 of A-Z a-z 0-9 . _ -"),
            Range<BrokerOptions, TimeSpan>("PublishTimeout", o => o.PublishTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1)),
            Range<BrokerOptions, TimeSpan>("Heartbeat", o => o.Heartbeat, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(2)),
            Range<BrokerOptions, int>("MaxMessageBytes", o => o.MaxMessageBytes, 64 << 10, 512 << 20));
        return string.IsNullOrEmpty(configuration["Millrace:Broker:Url"]) ? services.AddMemory() : services.AddRabbit();
    }

    private static IServiceCollection AddMemory(this IServiceCollection services)
    {
        services.AddSingleton<MemoryBroker>();
        services.AddSingleton<IInferenceQueue>(provider => provider.GetRequiredService<MemoryBroker>());
        services.AddSingleton<ITicketQueue>(provider => provider.GetRequiredService<MemoryBroker>());
        services.AddSingleton<IEventBus>(provider => provider.GetRequiredService<MemoryBroker>());
        services.AddSingleton<IWorkQueue>(provider => provider.GetRequiredService<MemoryBroker>());
        services.AddSingleton<IDeadLetterQueue>(provider => provider.GetRequiredService<MemoryBroker>());
        services.AddSingleton<IBrokerState>(provider => provider.GetRequiredService<MemoryBroker>());
        return services;
    }

    private static IServiceCollection AddRabbit(this IServiceCollection services)
    {
        services.AddSingleton<RabbitConnections>();
        services.AddSingleton<Topology>();
        services.AddSingleton<IBrokerState>(provider => provider.GetRequiredService<RabbitConnections>());
        services.AddSingleton<IInferenceQueue, RabbitInference>();
        services.AddSingleton<ITicketQueue, RabbitTickets>();
        services.AddSingleton<IEventBus, RabbitEvents>();
        services.AddSingleton<IWorkQueue, RabbitWork>();
        services.AddSingleton<IDeadLetterQueue, RabbitDeadLetters>();
        return services;
    }

    private static bool IsAddress(string url) => Uri.TryCreate(url, UriKind.Absolute, out var address) && (address.Scheme is "amqp" or "amqps") && address.Host.Length > 0;

    [GeneratedRegex(@"^[A-Za-z0-9._-]{0,64}\z")]
    private static partial Regex Prefix();
}
