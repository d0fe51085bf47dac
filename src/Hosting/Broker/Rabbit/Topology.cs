using RabbitMQ.Client;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>Every name and argument in the broker. Both sides declare what they use, so neither has to start first.</summary>
/// <remarks>A declared queue keeps its arguments for ever: whoever changes one here raises the kind's revision, which gives the queue a new name; workers go on
/// consuming the earlier ones until they are empty.</remarks>
internal sealed class Topology(BrokerOptions options)
{
    /// <summary>The last fence: the window, and a sender's own count, keep queues far below these.</summary>
    private const int MostTickets = 1_000_000;
    private const int MostPacks = 100_000;

    /// <summary>Deliveries of one ticket; attempts are bounded by the store, long before.</summary>
    private const int MostDeliveries = 20;

    private const int JobsRevision = 1;
    private const int InferRevision = 1;

    /// <summary>What was set aside: dead-lettered tickets, and messages that can't be read. Not <c>jobs.dead</c>, since a model may be called dead.</summary>
    public string Dead => $"{options.Prefix}dead.jobs";

    /// <summary>Fan-out of JobsFinished, StopRuns and ModelsChanged.</summary>
    public string Events => $"{options.Prefix}events";

    public string Jobs(string model) => Name("jobs", JobsRevision, model);

    public string Infer(string model) => Name("infer", InferRevision, model);

    /// <summary>Names that the queues of this kind had before their arguments changed.</summary>
    public IEnumerable<string> EarlierJobs(string model) => Enumerable.Range(1, JobsRevision - 1).Select(revision => Name("jobs", revision, model));

    /// <summary>Quorum: replicated where there are several nodes, and on disk before a confirm.</summary>
    public async Task<QueueDeclareOk> DeclareJobsAsync(IChannel channel, string model, CancellationToken cancellation)
    {
        var arguments = new Dictionary<string, object?>
        {
            ["x-queue-type"] = "quorum",
            ["x-delivery-limit"] = MostDeliveries,
            ["x-max-length"] = MostTickets,
            ["x-overflow"] = "reject-publish",
            ["x-dead-letter-exchange"] = "",
            ["x-dead-letter-routing-key"] = Dead,
            ["x-dead-letter-strategy"] = "at-least-once",
        };
        return await channel.QueueDeclareAsync(Jobs(model), durable: true, exclusive: false, autoDelete: false, arguments, cancellationToken: cancellation);
    }

    /// <summary>Classic: its messages live as long as their callers wait.</summary>
    public async Task DeclareInferAsync(IChannel channel, string model, CancellationToken cancellation)
    {
        var arguments = new Dictionary<string, object?> { ["x-max-length"] = MostPacks, ["x-overflow"] = "reject-publish" };
        await channel.QueueDeclareAsync(Infer(model), durable: true, exclusive: false, autoDelete: false, arguments, cancellationToken: cancellation);
    }

    public async Task DeclareDeadAsync(IChannel channel, CancellationToken cancellation) => await channel.QueueDeclareAsync(
        Dead, durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?> { ["x-queue-type"] = "quorum" }, cancellationToken: cancellation);

    public async Task DeclareEventsAsync(IChannel channel, CancellationToken cancellation) =>
        await channel.ExchangeDeclareAsync(Events, ExchangeType.Fanout, durable: true, autoDelete: false, cancellationToken: cancellation);

    /// <summary>A queue that is this connection's alone and ends with it.</summary>
    public static async Task<string> DeclareOwnAsync(IChannel channel, CancellationToken cancellation) =>
        (await channel.QueueDeclareAsync("", durable: false, exclusive: true, autoDelete: true, cancellationToken: cancellation)).QueueName;

    /// <summary>A model's name has no tilde, so no revision meets another model's queue.</summary>
    private string Name(string kind, int revision, string model) => $"{options.Prefix}{kind}{(revision == 1 ? "" : $"~{revision}")}.{model}";
}
