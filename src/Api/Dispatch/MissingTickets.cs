using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Dispatch;

/// <summary>More marked jobs that wait than tickets in the queue: some tickets were lost, dropped in a pause, or never sent. A surplus one does no harm.</summary>
internal sealed class MissingTickets(IDispatchStore store, ITicketQueue tickets, ILogger<MissingTickets> logger)
{
    /// <param name="dispatchedFor">Jobs that were marked later are not looked at: their tickets may be on their way.</param>
    /// <returns>How many were published.</returns>
    /// <exception cref="BrokerUnavailableException">The broker can't be asked, or did not take all.</exception>
    public async Task<int> PublishAsync(string model, TimeSpan dispatchedFor, CancellationToken cancellation)
    {
        var present = await tickets.CountAsync(model, cancellation); // first: a job that is claimed in between must not look like a lost ticket
        var dispatched = (await store.CountDispatchedAsync(dispatchedFor, cancellation)).GetValueOrDefault(model);
        if (dispatched <= present)
            return 0;
        var missing = await store.OldestDispatchedAsync(model, dispatched - present, cancellation);
        logger.TicketsRepublished(missing.Count, model, dispatched, present);
        await tickets.PublishAsync(missing, CancellationToken.None);
        return missing.Count;
    }
}
