using Millrace.Chaos.History;
using Millrace.Tests.Support;

namespace Millrace.Chaos;

/// <summary>A cluster under load with a witness in its database: something is done to it, then all must end, and the history is judged.</summary>
public sealed class Experiment : IAsyncDisposable
{
    public const string Model = "sleep";

    /// <summary>Long enough for leases, back-offs and attempts of a slow machine; it ends as soon as all has ended.</summary>
    private static readonly TimeSpan LongestDrain = TimeSpan.FromSeconds(150);

    private readonly List<HttpClient> _apis = [];
    private int _turn;

    private Experiment(Cluster cluster, CancellationToken cancellation)
    {
        (Cluster, Cancellation) = (cluster, cancellation);
        Load = new Load(NextApi);
        Witness = new Witness(cluster.StoreUrl);
    }

    public Cluster Cluster { get; }
    public Load Load { get; }
    public Witness Witness { get; }
    public CancellationToken Cancellation { get; }

    /// <param name="apis">Settings of each API to start with, as a plan of faults; likewise the workers.</param>
    public static async Task<Experiment> StartAsync(string brokerUrl, string storeUrl, string[] apis, string[] workers, CancellationToken cancellation, params string[] settings)
    {
        var cluster = new Cluster(brokerUrl, storeUrl, Repository.TestModels);
        cluster.Settings.AddRange(["Logging:LogLevel:Default=Error", $"Millrace:Models:Names={Model}", .. settings]);
        var experiment = new Experiment(cluster, cancellation);
        try
        {
            foreach (var plan in apis)
                await experiment.StartApiAsync(plan);
            await experiment.Witness.InstallAsync(cancellation);
            foreach (var plan in workers)
                await experiment.StartWorkerAsync(plan);
            if (workers.Length > 0)
                await Waiting.UntilAsync(async () => (await experiment.NextApi().FetchAsync($"/v2/models/{Model}/ready")).Status == 200, "the model is ready", 60);
            return experiment;
        }
        catch
        {
            await experiment.DisposeAsync();
            throw;
        }
    }

    public async Task<MillraceProcess> StartApiAsync(string plan = "")
    {
        var api = await Cluster.StartApiAsync($"Millrace:Faults:Plan={plan}");
        lock (_apis)
            _apis.Add(api.Client);
        return api;
    }

    public bool IsApi(MillraceProcess process)
    {
        lock (_apis)
            return _apis.Contains(process.Client);
    }

    /// <summary>An API that is gone is not called any more.</summary>
    public void Forget(MillraceProcess api)
    {
        lock (_apis)
            _apis.Remove(api.Client);
    }

    public Task<MillraceProcess> StartWorkerAsync(string plan = "") => Cluster.StartWorkerAsync($"Millrace:Faults:Plan={plan}");

    public Task SubmitAsync(int jobs, int milliseconds, int submitters = 16) => Load.SubmitAsync(jobs, submitters, at => milliseconds + (at % 7), Model, Cancellation);

    /// <summary>Waits until nothing is queued or running, reads every end, and judges.</summary>
    public async Task<(Counts Counts, IReadOnlyList<Violation> Violations)> JudgeAsync()
    {
        await Load.ReadAllAsync(LongestDrain, Cancellation);
        var lines = Cluster.Runs();
        var ends = lines.Where(l => l.What == "end").SelectMany(l => l.Requests.Select(r => (r.Id, r.Fence, l.At))).GroupBy(e => (e.Id, e.Fence)).ToDictionary(g => g.Key, g => g.Max(e => e.At));
        var runs = lines.Where(l => l.What == "start").SelectMany(l => l.Requests).Where(r => r.Lane == "Job")
            .Select(r => new RunStart(r.Id, r.Attempt, r.Fence, ends.TryGetValue((r.Id, r.Fence), out var at) ? at : null)).ToArray();
        var history = new History.History(Load.Log, await Witness.ReadAsync(Cancellation), runs);
        return (Checker.Count(history), Checker.Check(history));
    }

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        await Witness.DisposeAsync();
        Load.Dispose();
    }

    private HttpClient NextApi()
    {
        lock (_apis)
            return _apis[(int)((uint)Interlocked.Increment(ref _turn) % (uint)_apis.Count)];
    }
}
