using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Lifecycle;
using Millrace.Hosting.Telemetry;
using Millrace.Storage.DeadLetters;
using Prometheus;

namespace Millrace.Api.DeadLetters;

/// <summary>Moves what was set aside in the broker into the store, where it can be looked at. With the store away, it stays in the broker.</summary>
internal sealed class DeadLetterRecorder(IDeadLetterQueue queue, IDeadLetterStore store, Draining draining, Instruments instruments, ILogger<DeadLetterRecorder> logger) : IHostedService
{
    private const int MostBytes = 4096;
    private readonly Counter _kept = instruments.Counter("millrace_dead_letters_total", "What was set aside: a ticket that the broker gave up, or a message that can't be read.", "kind");
    private IWorkConsumer? _consumer;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _consumer = queue.Consume(RecordAsync);
        draining.Begun.Register(_consumer.StopTaking);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_consumer is not null)
            await _consumer.DisposeAsync();
    }

    private async Task RecordAsync(DeadMessage message)
    {
        var body = message.Body.Length > MostBytes ? message.Body[..MostBytes] : message.Body;
        var letter = new DeadLetter(IdOf(message), default, message.Queue, message.Reason, message.JobId, message.Body.Length, body);
        await store.AddAsync(letter, CancellationToken.None);
        _kept.WithLabels(message.JobId is null ? "message" : "ticket").Inc();
        logger.DeadLetterKept(message.Queue, message.Reason);
    }

    /// <summary>The same message delivered twice has the same id.</summary>
    private static Guid IdOf(DeadMessage message) =>
        new(SHA256.HashData([.. Encoding.UTF8.GetBytes($"{message.Id}\n{message.Queue}\n{message.Reason}\n"), .. message.Body.Span]).AsSpan(0, 16));
}
