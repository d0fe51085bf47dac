// Compares two ways to hand a message across one process: MassTransit's in-memory transport and a channel.
// One warm process, arms in turns, the order reversed in every other round, ratios taken within a round.
using System.Diagnostics;
using System.Globalization;
using Millrace.Transport;

var rounds = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 5;
var window = TimeSpan.FromSeconds(1);

await using var massTransit = await MassTransitTransport.StartAsync();
await using var channel = new ChannelTransport();

Row[] table =
[
    new("1 caller, 1 request a message: p50, us", "F1", transport => LatencyAsync(transport, packed: 1)),
    new("1 caller, 16 requests a message: p50, us", "F1", transport => LatencyAsync(transport, packed: 16)),
    new("64 callers, 1 request a message: requests/s", "N0", transport => RateAsync(transport, callers: 64, packed: 1)),
    new("64 callers, 16 requests a message: requests/s", "N0", transport => RateAsync(transport, callers: 64, packed: 16)),
    new("tickets published and consumed: tickets/s", "N0", TicketsAsync),
];

foreach (var row in table)
{
    foreach (var transport in (ITransport[])[massTransit, channel]) // until the JIT is done: two windows each
    {
        await row.Measure(transport);
        await row.Measure(transport);
    }
}

foreach (var round in Enumerable.Range(0, rounds))
{
    foreach (var row in table)
        await row.MeasureBothAsync(massTransit, channel, reversed: round % 2 == 1);
}

Console.WriteLine($"{rounds} rounds, median [min-max]; {Environment.ProcessorCount} cores, .NET {Environment.Version}\n");
Console.WriteLine($"| {"",-45} | {"MassTransit in memory",-26} | {"channel",-36} | {"ratio",-20} |");
Console.WriteLine($"|-{new string('-', 45)}-|-{new string('-', 26)}-|-{new string('-', 36)}-|-{new string('-', 20)}-|");
foreach (var row in table)
    Console.WriteLine($"| {row.Name,-45} | {row.Tell(row.Bus),-26} | {row.Tell(row.Channel),-36} | {row.Ratio,-20} |");

static Pack PackOf(int count) => new() { Items = new byte[count * Pack.RequestBytes] };

// The median time of a message and its reply, one at a time, in microseconds.
async Task<double> LatencyAsync(ITransport transport, int packed)
{
    var pack = PackOf(packed);
    var times = new List<double>(1_000_000);
    for (var clock = Stopwatch.StartNew(); clock.Elapsed < window;)
    {
        var started = Stopwatch.GetTimestamp();
        await transport.AskAsync(pack);
        times.Add(Stopwatch.GetElapsedTime(started).TotalMicroseconds);
    }
    return Median(times);
}

// Requests answered in a second when so many requests wait at any time, hence callers / packed messages.
async Task<double> RateAsync(ITransport transport, int callers, int packed)
{
    var clock = Stopwatch.StartNew();
    var counts = await Task.WhenAll(Enumerable.Range(0, callers / packed).Select(_ => Task.Run(CallAsync)));
    return counts.Sum() / clock.Elapsed.TotalSeconds;

    async Task<long> CallAsync()
    {
        var pack = PackOf(packed);
        long answered = 0;
        for (; clock.Elapsed < window; answered += packed)
            await transport.AskAsync(pack);
        return answered;
    }
}

// Tickets a second, from the first publish of 4 publishers to the last one consumed.
async Task<double> TicketsAsync(ITransport transport)
{
    const int Publishers = 4;
    var each = transport is ChannelTransport ? 250_000 : 10_000; // about a second for either
    var consumed = transport.ConsumedAsync(Publishers * each);
    var started = Stopwatch.GetTimestamp();
    await Task.WhenAll(Enumerable.Range(0, Publishers).Select(_ => Task.Run(PublishAsync)));
    await consumed;
    return Publishers * each / Stopwatch.GetElapsedTime(started).TotalSeconds;

    async Task PublishAsync()
    {
        for (var i = 0; i < each; i++)
            await transport.PublishAsync(new Ticket { JobId = Guid.CreateVersion7(), Model = "mlp" });
    }
}

static double Median(IEnumerable<double> values)
{
    var sorted = values.Order().ToList();
    return sorted[sorted.Count / 2];
}

/// <summary>A line of the table: what is measured, and the figures of each round.</summary>
internal sealed record Row(string Name, string Format, Func<ITransport, Task<double>> Measure)
{
    public List<double> Bus { get; } = [];
    public List<double> Channel { get; } = [];

    /// <summary>How much better the channel is: the smaller time, or the larger rate, over the other.</summary>
    public string Ratio => Tell(Bus.Zip(Channel, (bus, channel) => Format == "F1" ? bus / channel : channel / bus), "F0") + "x";

    public async Task MeasureBothAsync(ITransport bus, ITransport channel, bool reversed)
    {
        (ITransport Transport, List<double> Figures)[] turns = [(bus, Bus), (channel, Channel)];
        foreach (var (transport, figures) in reversed ? turns.Reverse() : turns)
        {
            GC.Collect(); // one arm's garbage is not the other's work
            figures.Add(await Measure(transport));
        }
    }

    public string Tell(IEnumerable<double> figures, string? format = null)
    {
        var sorted = figures.Order().Select(figure => figure.ToString(format ?? Format, CultureInfo.InvariantCulture)).ToList();
        return $"{sorted[sorted.Count / 2]} [{sorted[0]}-{sorted[^1]}]";
    }
}
