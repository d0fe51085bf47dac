using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace Millrace.Transport;

/// <summary>MassTransit's in-memory transport as it comes: JSON envelopes, default limits, a request client.</summary>
internal sealed class MassTransitTransport : ITransport
{
    private readonly ServiceProvider _services;
    private readonly IBusControl _bus;
    private readonly IRequestClient<Pack> _packs;
    private readonly TicketCount _consumed;

    private MassTransitTransport(ServiceProvider services)
    {
        _services = services;
        _bus = services.GetRequiredService<IBusControl>();
        _packs = _bus.CreateRequestClient<Pack>(new Uri("exchange:packs"));
        _consumed = services.GetRequiredService<TicketCount>();
    }

    public static async Task<MassTransitTransport> StartAsync()
    {
        var services = new ServiceCollection().AddLogging().AddSingleton<TicketCount>().AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<PackConsumer>().Endpoint(endpoint => endpoint.Name = "packs");
            bus.AddConsumer<TicketConsumer>().Endpoint(endpoint => endpoint.Name = "tickets");
            bus.UsingInMemory((context, factory) => factory.ConfigureEndpoints(context));
        });
        var transport = new MassTransitTransport(services.BuildServiceProvider());
        await transport._bus.StartAsync();
        return transport;
    }

    public async Task<PackReply> AskAsync(Pack pack) => (await _packs.GetResponse<PackReply>(pack)).Message;

    public ValueTask PublishAsync(Ticket ticket) => new(_bus.Publish(ticket));

    public Task ConsumedAsync(int count) => _consumed.ExpectAsync(count);

    public async ValueTask DisposeAsync()
    {
        await _bus.StopAsync();
        await _services.DisposeAsync();
    }
}

internal sealed class PackConsumer : IConsumer<Pack>
{
    public Task Consume(ConsumeContext<Pack> context) => context.RespondAsync(context.Message.Echo());
}

internal sealed class TicketConsumer(TicketCount consumed) : IConsumer<Ticket>
{
    public Task Consume(ConsumeContext<Ticket> context)
    {
        consumed.Add();
        return Task.CompletedTask;
    }
}
