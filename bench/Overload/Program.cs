using System.Globalization;
using System.Net;
using System.Text.Json;
using Millrace.Bench;
using Millrace.Overload;

// Overload by an open loop at five times what can be served: what is admitted must be served in time, what is not must cost next to nothing, and no accepted job may be lost.
//   Overload [seconds of each phase, 30] [milliseconds of a run, 20]
var seconds = TimeSpan.FromSeconds(args.Length > 0 ? double.Parse(args[0], CultureInfo.InvariantCulture) : 30);
var run = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 20;
var inference = $$"""{"inputs":[{"name":"IN","datatype":"INT32","shape":[1],"data":[{{run}}]}]}""";
const string infer = "/v2/models/sleep/infer";

Console.WriteLine("| lane, setting | load | offered/s | served/s | admitted p50 ms | admitted p99 ms | p99 : at 80 % | refused | refused p50 ms | memory MiB |");
Console.WriteLine("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|");
double calm, capacity;
using (var server = await StartAsync())
{
    await Load.CapacityAsync(server, infer, inference, 4, TimeSpan.FromSeconds(5)); // both sides compile as they run
    capacity = await Load.CapacityAsync(server, infer, inference, 4, TimeSpan.FromSeconds(5));
    calm = await PhaseAsync(server, "sync, as it is", "80 %", 0.8 * capacity, null);
    await PhaseAsync(server, "sync, as it is", "5 x", 5 * capacity, calm);
}
var most = TimeSpan.FromMilliseconds(calm);
using (var server = await StartAsync($"Millrace:Sync:MaxWait={most:c}"))
{
    await Load.CapacityAsync(server, infer, inference, 4, TimeSpan.FromSeconds(10));
    await PhaseAsync(server, $"sync, MaxWait {calm:0} ms", "5 x", 5 * capacity, calm);
}
using (var server = await StartAsync())
{
    const string jobs = "/v1/jobs";
    var job = $$"""{"model":"sleep","inference":{{inference}},"expires_in":2}""";
    var before = server.MemoryMiB();
    var calls = await Load.OpenAsync(server, jobs, job, 5 * capacity, seconds);
    var accepted = calls.Where(c => c.Status is HttpStatusCode.Accepted or HttpStatusCode.OK).ToArray();
    var states = new Dictionary<string, int>();
    foreach (var call in accepted)
    {
        using var document = JsonDocument.Parse(await server.Client.GetStringAsync(new Uri($"{call.Location}?wait=60", UriKind.Relative)));
        var state = document.RootElement.GetProperty("state").GetString()!;
        states[state] = states.GetValueOrDefault(state) + 1;
    }
    Print("jobs, expires_in 2 s", "5 x", calls, accepted, double.NaN, before, server.MemoryMiB());
    Console.WriteLine();
    Console.WriteLine($"Of {accepted.Length} accepted jobs: {string.Join(", ", states.Select(s => $"{s.Value} {s.Key}"))}; none is without an end.");
}

// The model of the tests that takes about as long as it is told.
static Task<Server> StartAsync(params string[] settings) => Server.StartAsync("tests/models", "sleep", ["Millrace:Models:Names=sleep", .. settings]);

async Task<double> PhaseAsync(Server server, string lane, string load, double perSecond, double? calmP99)
{
    var before = server.MemoryMiB();
    var calls = await Load.OpenAsync(server, infer, inference, perSecond, seconds);
    var admitted = calls.Where(c => c.Status == HttpStatusCode.OK).ToArray();
    var p99 = Load.Percentile(admitted, 0.99);
    Print(lane, load, calls, admitted, calmP99 is { } base80 ? p99 / base80 : 1, before, server.MemoryMiB());
    return p99;
}

void Print(string lane, string load, IReadOnlyList<Call> calls, Call[] admitted, double ratio, double before, double after)
{
    var refused = calls.Where(c => c.Status == HttpStatusCode.ServiceUnavailable).ToArray();
    var other = calls.Count - refused.Length - admitted.Length;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"| {lane} | {load} | {calls.Count / seconds.TotalSeconds:0} | {admitted.Length / seconds.TotalSeconds:0} | {Load.Percentile(admitted, 0.5):0.0} | {Load.Percentile(admitted, 0.99):0.0} | {(double.IsNaN(ratio) ? "" : $"{ratio:0.00}")} | {100.0 * refused.Length / calls.Count:0} %{(other > 0 ? $", {other} others" : "")} | {Load.Percentile(refused, 0.5):0.0} | {before:0} to {after:0} |"));
}
