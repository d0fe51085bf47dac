using System.Diagnostics;
using System.Globalization;
using System.Text;
using Millrace.Bench;
using Millrace.Engine;

// The engine beside ONNX Runtime called directly, on the same cores, at the direct calls' best batch size.
//   Engine [seconds of each measurement, 5] [only scenarios whose name begins so]
var time = TimeSpan.FromSeconds(args.Length > 0 ? double.Parse(args[0], CultureInfo.InvariantCulture) : 5);
var only = args.Length > 1 ? args[1] : "";
var threads = Math.Min(Environment.ProcessorCount, 4);
const int rounds = 9; // the machine's own pace changes by a tenth within seconds, so what is compared is run in turns, for moments
Scenario[] all =
[
    new("mlp-json-c64", "mlp", 1, 64, false), new("mlp-binary-c64", "mlp", 1, 64, true), new("mlp-binary-32rows-c8", "mlp", 32, 8, true),
    new("cnn-json-c16", "cnn", 1, 16, false), new("cnn-binary-c16", "cnn", 1, 16, true), new("cnn-binary-8rows-c4", "cnn", 8, 4, true),
    new("mib-json-c4", "mib", 1, 4, false), new("mib-binary-c4", "mib", 1, 4, true),
];
if ("parsing".StartsWith(only, StringComparison.Ordinal))
{
    Console.WriteLine("| FP32 elements | bytes | a request us | tokens us | with GetSingle us | : tokens | : with GetSingle |");
    Console.WriteLine("|---|--:|--:|--:|--:|--:|--:|");
    Parsing.Print(64, 4);
    Parsing.Print(12_288, 4);
    Parsing.Print(12_288, 8);
    Parsing.Print(12_288, 15);
    Console.WriteLine();
}
if ("allocations".StartsWith(only, StringComparison.Ordinal))
{
    await Allocations.PrintAsync("mlp, JSON", Request(Model.Of("mlp"), 1, binary: false), 16, time);
    await Allocations.PrintAsync("mlp, binary", Request(Model.Of("mlp"), 1, binary: true), 16, time);
    await Allocations.PrintAsync("mib, binary", Request(Model.Of("mib"), 1, binary: true), 4, time);
    await Allocations.PrintAsync("mlp, job", Job(Model.Of("mlp")), 16, time, DrainAsync);
}
var scenarios = all.Where(s => s.Name.StartsWith(only, StringComparison.Ordinal)).ToArray();
if (scenarios.Length == 0)
    return;
Console.WriteLine($"Direct: {threads} threads, each with calls of its own, one thread a call.");
Console.WriteLine();
Console.WriteLine("| model | best batch | rows/s | CPU us a row |");
Console.WriteLine("|---|--:|--:|--:|");
var best = new Dictionary<string, int>();
foreach (var model in scenarios.Select(s => s.Model).Distinct().Select(Model.Of))
{
    int[] sizes = [1, 4, 8, 16, 32, 64];
    var passes = Enumerable.Range(0, 5).Select(_ => sizes.Select(size => RunDirect(model, size, time / 8)).ToArray()).ToArray();
    var found = sizes.Select((size, at) => (Size: size, PerSecond: MedianOf(passes.Select(p => p[at].PerSecond)), CpuMicros: MedianOf(passes.Select(p => p[at].CpuMicros)))).MaxBy(r => r.PerSecond);
    best[model.Name] = found.Size;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {model.Name} | {found.Size} | {found.PerSecond:#,0} | {found.CpuMicros:0.0} |"));
}
Console.WriteLine();
Console.WriteLine("| scenario | rows/s | of the direct best | CPU us a row | direct CPU : its CPU | allocated a request |");
Console.WriteLine("|---|--:|--:|--:|--:|--:|");
using var server = await Server.StartAsync("bench/models", "mlp");
foreach (var binary in (bool[])[false, true]) // a fast model brings the JIT to its end sooner
    await Clients.LoadAsync(Request(Model.Of("mlp"), 1, binary), 64, TimeSpan.FromSeconds(8));
foreach (var scenario in scenarios)
{
    var model = Model.Of(scenario.Model);
    var request = Request(model, scenario.Rows, scenario.Binary);
    await Clients.LoadAsync(request, scenario.Clients, 2 * time);
    var figures = new List<(double PerSecond, double Share, double Cpu, double CpuShare)>();
    var (allocated, answered) = (await server.AllocatedAsync(), 0L);
    for (var round = 0; round < rounds; round++)
    {
        var before = RunDirect(model, best[model.Name], time / 8);
        var (cpu, began) = (server.Cpu(), Stopwatch.GetTimestamp());
        var answers = await Clients.LoadAsync(request, scenario.Clients, time / 2.5);
        var rows = (double)answers * scenario.Rows;
        var perSecond = rows / Stopwatch.GetElapsedTime(began).TotalSeconds;
        var micros = (server.Cpu() - cpu).TotalMicroseconds / rows;
        answered += answers;
        var after = RunDirect(model, best[model.Name], time / 8);
        figures.Add((perSecond, 2 * perSecond / (before.PerSecond + after.PerSecond), micros, (before.CpuMicros + after.CpuMicros) / 2 / micros));
    }
    var each = (await server.AllocatedAsync() - allocated) / answered;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"| {scenario.Name} | {Median(f => f.PerSecond):#,0} | {Median(f => f.Share):0.0 %} [{Quarter(1):0.0 %}-{Quarter(3):0.0 %}] | {Median(f => f.Cpu):0.0} | {Median(f => f.CpuShare):0.0 %} | {each:#,0} B |"));

    double Quarter(int quarter) => figures.Select(f => f.Share).Order().ElementAt(rounds * quarter / 4);
    double Median(Func<(double PerSecond, double Share, double Cpu, double CpuShare), double> figure) => MedianOf(figures.Select(figure));
}

static double MedianOf(IEnumerable<double> values) => values.Order().ElementAt(values.Count() / 2);

(double PerSecond, double CpuMicros) RunDirect(Model model, int rows, TimeSpan span) =>
    Direct.Run(Path.Combine(Server.Root, "bench", "models", model.Name, "1", "model.onnx"), model.In, model.Out, rows, threads, span);

static byte[] Request(Model model, int rows, bool binary)
{
    var values = Enumerable.Range(0, rows * Direct.Size(model.In)).Select(i => (float)(i % 17) / 17).ToArray();
    var shape = string.Join(',', [rows, .. model.In]);
    var path = $"/v2/models/{model.Name}/infer";
    if (!binary)
    {
        var numbers = string.Join(',', values.Select(v => MathF.Round(v, 6).ToString(CultureInfo.InvariantCulture)));
        return Clients.Post(path, Encoding.ASCII.GetBytes($$"""{"inputs":[{"name":"x","shape":[{{shape}}],"datatype":"FP32","data":[{{numbers}}]}]}"""), "");
    }
    var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values);
    var json = Encoding.ASCII.GetBytes($$$"""{"inputs":[{"name":"x","shape":[{{{shape}}}],"datatype":"FP32","parameters":{"binary_data_size":{{{bytes.Length}}}}}],"parameters":{"binary_data_output":true}}""");
    return Clients.Post(path, [.. json, .. bytes], $"Inference-Header-Content-Length: {json.Length}\r\n");
}

static byte[] Job(Model model)
{
    var numbers = string.Join(',', Enumerable.Range(0, Direct.Size(model.In)).Select(i => Math.Round((i % 17) / 17.0, 6).ToString(CultureInfo.InvariantCulture)));
    var inference = $$"""{"inputs":[{"name":"x","shape":[1,{{string.Join(',', model.In)}}],"datatype":"FP32","data":[{{numbers}}]}]}""";
    return Clients.Post("/v1/jobs", Encoding.ASCII.GetBytes($$"""{"model":"{{model.Name}}","inference":{{inference}}}"""), "");
}

static async Task DrainAsync(HttpClient client)
{
    while (true)
    {
        using var queue = System.Text.Json.JsonDocument.Parse(await client.GetStringAsync(new Uri("/v1/queues/mlp", UriKind.Relative)));
        if (queue.RootElement.GetProperty("queued").GetInt64() + queue.RootElement.GetProperty("running").GetInt64() == 0)
            return;
        await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
    }
}

internal sealed record Scenario(string Name, string Model, int Rows, int Clients, bool Binary);

/// <param name="In">Shape of a row of x.</param>
/// <param name="Out">Shape of a row of y.</param>
internal sealed record Model(string Name, long[] In, long[] Out)
{
    public static Model Of(string name) => name switch
    {
        "mlp" => new(name, [64], [10]),
        "cnn" => new(name, [3, 64, 64], [10]),
        _ => new(name, [262_144], [262_144]),
    };
}
