using System.Globalization;

namespace Millrace.Rehearsal.Run;

/// <summary>How it was at a time. Queues as the broker's figures have them, each as old as its statistics; jobs as the store has them, which is exact.</summary>
internal sealed record Sample(TimeSpan At, IReadOnlyList<QueueFigures?> Queues, long Jobs, int Replicas, int Ready, int Leaving);

/// <summary>Looks at one controller every second.</summary>
internal sealed class Timeline(Stage stage, Controller controller, string model)
{
    private readonly List<Sample> _samples = [];

    public IReadOnlyList<Sample> Samples => _samples;

    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        do
        {
            var queues = await Task.WhenAll(controller.Target.Triggers.Select(t => stage.Broker.ReadAsync(t.Queue)));
            var jobs = await stage.AskAsync<long>($"SELECT count(*) FROM jobs WHERE model = '{model}' AND state IN (0, 1)");
            var ready = await controller.Pool.CountReadyAsync();
            lock (_samples)
                _samples.Add(new Sample(stage.Clock.Elapsed, queues, jobs, controller.Pool.Count, ready, controller.Pool.Leaving));
        }
        while (await NextAsync(timer, stop));
    }

    public Sample Latest
    {
        get
        {
            lock (_samples)
                return _samples[^1];
        }
    }

    /// <summary>Samples and decisions as two CSV files.</summary>
    public async Task WriteAsync()
    {
        var queues = controller.Target.Triggers.Select(t => t.Queue).ToArray();
        await File.WriteAllLinesAsync(Path.Combine(stage.Folder, "timeline.csv"),
            _samples.Select(s => Line(s.At.TotalSeconds, s.Replicas, s.Ready, s.Leaving, s.Jobs, string.Join(',', s.Queues.Select(q => q is null ? ",," : Line(q.Messages, q.Ready, q.Unacknowledged)))))
                .Prepend($"seconds,replicas,ready_replicas,leaving_replicas,jobs_in_store,{string.Join(',', queues.Select(q => $"{q} messages,{q} ready,{q} unacknowledged"))}"));
        await File.WriteAllLinesAsync(Path.Combine(stage.Folder, "decisions.csv"),
            controller.Decisions.Select(d => Line(d.At.TotalSeconds, d.Loop, d.From, d.To, d.Proposal, string.Join(',', d.Readings.Select(r => Line(r)))))
                .Prepend($"seconds,loop,from,to,proposal,{string.Join(',', queues)}"));
    }

    private static async Task<bool> NextAsync(PeriodicTimer timer, CancellationToken stop)
    {
        try { return await timer.WaitForNextTickAsync(stop); }
        catch (OperationCanceledException) { return false; }
    }

    private static string Line(params object?[] values) => string.Join(',', values.Select(v => v is double number ? Math.Round(number, 2).ToString(CultureInfo.InvariantCulture) : Convert.ToString(v, CultureInfo.InvariantCulture)));
}
