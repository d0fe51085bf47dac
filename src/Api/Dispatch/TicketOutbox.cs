using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Faults;
using Millrace.Hosting.Telemetry;
using Millrace.Messages;

namespace Millrace.Api.Dispatch;

/// <summary>Sends the tickets of jobs that were just accepted, all that wait together. No answer waits for the broker: what can't be sent, the reconciler finds.</summary>
internal sealed class TicketOutbox(ITicketQueue tickets, FaultPoints faults, ILogger<TicketOutbox> logger) : IHostedService
{
    private const int MostAtOnce = 256;

    private readonly Channel<Entry> _waiting = Channel.CreateUnbounded<Entry>(new UnboundedChannelOptions { SingleReader = true });
    private Task _loop = Task.CompletedTask;
    private bool _failing;

    /// <param name="trace">Of the call that made the job, where it is recorded.</param>
    public void Post(RunJob ticket, ActivityContext? trace = null) => _waiting.Writer.TryWrite(new Entry(ticket, trace));

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
        var group = new List<Entry>(MostAtOnce);
        while (await _waiting.Reader.WaitToReadAsync())
        {
            while (group.Count < MostAtOnce && _waiting.Reader.TryRead(out var ticket))
                group.Add(ticket);
            var spans = group.Where(e => e.Trace is not null).Select(e => Spans.Begin($"send jobs.{e.Ticket.Model}", ActivityKind.Producer, e.Trace)).ToArray();
            string? fault = null;
            try
            {
                faults.Hit(Points.BeforePublish, group[0].Ticket.Model);
                await tickets.PublishAsync(group.ConvertAll(e => e.Ticket), CancellationToken.None);
                faults.Hit(Points.AfterPublish, group[0].Ticket.Model);
                _failing = false;
            }
            catch (Exception error) // whatever it was: the loop must live, and the jobs are stored
            {
                if (!_failing)
                    logger.TicketsFailed(group.Count, error.Message);
                _failing = true;
                fault = error.Message;
            }
            foreach (var span in spans)
                Spans.End(span, fault);
            group.Clear();
        }
    }

    private readonly record struct Entry(RunJob Ticket, ActivityContext? Trace);
}
