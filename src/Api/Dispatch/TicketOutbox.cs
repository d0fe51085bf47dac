using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Faults;
using Millrace.Messages;

namespace Millrace.Api.Dispatch;

/// <summary>Sends the tickets of jobs that were just accepted, all that wait together. No answer waits for the broker: what can't be sent, the reconciler finds.</summary>
internal sealed class TicketOutbox(ITicketQueue tickets, FaultPoints faults, ILogger<TicketOutbox> logger) : IHostedService
{
    private const int MostAtOnce = 256;

    private readonly Channel<RunJob> _waiting = Channel.CreateUnbounded<RunJob>(new UnboundedChannelOptions { SingleReader = true });
    private Task _loop = Task.CompletedTask;
    private bool _failing;

    public void Post(RunJob ticket) => _waiting.Writer.TryWrite(ticket);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _loop = Task.Run(SendAllAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <summary>What is on its way is sent or given up: the store knows what is owed.</summary>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        _waiting.Writer.TryComplete();
        return _loop;
    }

    private async Task SendAllAsync()
    {
        var group = new List<RunJob>(MostAtOnce);
        while (await _waiting.Reader.WaitToReadAsync())
        {
            while (group.Count < MostAtOnce && _waiting.Reader.TryRead(out var ticket))
                group.Add(ticket);
            try
            {
                faults.Hit(Points.BeforePublish, group[0].Model);
                await tickets.PublishAsync(group, CancellationToken.None);
                faults.Hit(Points.AfterPublish, group[0].Model);
                _failing = false;
            }
            catch (Exception error) // whatever it was: the loop must live, and the jobs are stored
            {
                if (!_failing)
                    logger.TicketsFailed(group.Count, error.Message);
                _failing = true;
            }
            group.Clear();
        }
    }
}
