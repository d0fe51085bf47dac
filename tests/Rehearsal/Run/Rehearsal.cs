using Millrace.Rehearsal.Scaling;
using Millrace.Tests.Support;

namespace Millrace.Rehearsal.Run;

/// <summary>What a run was, whole.</summary>
/// <param name="Queued">From acceptance to start, and when the job started.</param>
/// <param name="ServiceTimes">Of single runs, from the workers' own ledgers.</param>
internal sealed record Outcome(
    Plan Plan, ScaledObject Rendered, ScaledObject Hurried, IReadOnlyList<Phase> Phases, TimeSpan ZeroAt, IReadOnlyList<Sample> Samples, IReadOnlyList<Decision> Decisions,
    IReadOnlyList<SyncCall> Calls, IReadOnlyList<(TimeSpan At, TimeSpan Waited)> Queued, IReadOnlyList<TimeSpan> ServiceTimes, int Started, IReadOnlyCollection<TimeSpan> Drains, TimeSpan Grace, Counts Counts);

/// <summary>What was told to clients, what the database has, and what is left in the broker.</summary>
/// <param name="RunTwice">Jobs with more than one run in the ledgers.</param>
/// <param name="IdleStarts">Workers of groups that got no load.</param>
internal sealed record Counts(
    int Accepted, int Refused, long Stored, long Succeeded, long OtherEnds, long Retried, long DoubleResults, int RunTwice, int Kills, int Deaths, int Left, int LeftUnacknowledged, int IdleStarts);

/// <summary>Runs a plan on a stage.</summary>
internal static class Rehearsal
{
    public static async Task<Outcome> RunAsync(Stage stage, Plan plan, ScaledObject rendered, string model, TimeSpan grace)
    {
        var controller = stage.Controllers.Single(c => c.Target.Name == rendered.Name);
        var crowd = new Crowd(stage.Api, stage.Clock, model, plan.Milliseconds);
        var timeline = new Timeline(stage, controller, model);
        var phases = new List<Phase>();
        void Enter(string phase)
        {
            phases.Add(new Phase(phase, stage.Clock.Elapsed));
            Console.WriteLine($"{stage.Clock.Elapsed.TotalSeconds,6:0.0} s  {phase}");
        }
        await stage.BeginAsync();
        using var over = new CancellationTokenSource();
        var looking = timeline.RunAsync(over.Token);
        Enter("idle");
        await Task.Delay(plan.Idle, TimeProvider.System);
        Enter("first request");
        await crowd.CallAsync();
        Enter("ramp");
        using (var enough = new CancellationTokenSource())
        {
            var calls = crowd.CallsAsync(plan.CallsPerSecond, enough.Token);
            await crowd.SubmitAsync(since => plan.JobsPerSecond * (since / plan.Ramp), plan.Ramp);
            Enter("burst");
            await crowd.BurstAsync(plan.Burst);
            await crowd.SubmitAsync(_ => plan.JobsPerSecond, plan.After);
            if (plan.Few > TimeSpan.Zero)
            {
                Enter("few jobs");
                await crowd.SubmitAsync(_ => 5, plan.Few);
            }
            await enough.CancelAsync();
            await calls;
        }
        Enter("stop");
        var most = 180 + (int)(controller.Target.CooldownPeriod + controller.Target.ScaleDown.Window).TotalSeconds;
        await Waiting.UntilAsync(() => timeline.Latest is { Jobs: 0 }, "every job has ended", most);
        Enter("all done");
        await Waiting.UntilAsync(() => controller.Pool.Count == 0 && controller.Pool.Leaving == 0, "there is no worker left", most + (int)grace.TotalSeconds);
        Enter("at zero");
        // The figures are as old as the broker's statistics, and the last thing that happened is not.
        await Waiting.UntilAsync(() => timeline.Latest.At > phases[^1].At && timeline.Latest.Queues.All(q => q is { Messages: 0 }), "the broker says that the queues are empty", 30);
        await over.CancelAsync();
        await looking;
        await timeline.WriteAsync();
        var ledgers = controller.Pool.Ledgers.SelectMany(RunLine.Read).ToArray();
        return new Outcome(plan, rendered, controller.Target, phases, phases[^1].At, timeline.Samples, controller.Decisions, crowd.Calls, await WaitsAsync(stage, model), Services(ledgers),
            controller.Pool.Started, controller.Pool.Drains, grace, await CountAsync(stage, controller, crowd, ledgers));
    }

    private static async Task<Counts> CountAsync(Stage stage, Controller controller, Crowd crowd, RunLine[] ledgers)
    {
        var runs = ledgers.Where(l => l.What == "start").SelectMany(l => l.Requests).Where(r => r.Lane == "Job").GroupBy(r => r.Id);
        var queues = await Task.WhenAll(stage.Controllers.SelectMany(c => c.Target.Triggers).Select(t => stage.Broker.ReadAsync(t.Queue)));
        return new Counts(crowd.Accepted, crowd.Refused,
            await stage.AskAsync<long>("SELECT count(*) FROM jobs"), await stage.AskAsync<long>("SELECT count(*) FROM jobs WHERE state = 2"), await stage.AskAsync<long>("SELECT count(*) FROM jobs WHERE state <> 2"),
            await stage.AskAsync<long>("SELECT count(*) FROM jobs WHERE attempt > 1"),
            await stage.AskAsync<long>("SELECT count(*) FROM (SELECT 1 FROM job_results GROUP BY job_id HAVING count(*) > 1) AS d"), runs.Count(r => r.Count() > 1),
            stage.Controllers.Sum(c => c.Pool.Kills), stage.Controllers.Sum(c => c.Pool.Deaths), queues.Sum(q => q!.Messages), queues.Sum(q => q!.Unacknowledged),
            stage.Controllers.Where(c => c != controller).Sum(c => c.Pool.Started));
    }

    private static async Task<IReadOnlyList<(TimeSpan, TimeSpan)>> WaitsAsync(Stage stage, string model)
    {
        var began = TimeProvider.System.GetUtcNow() - stage.Clock.Elapsed;
        await using var command = stage.Store.CreateCommand($"SELECT created_at, started_at FROM jobs WHERE model = '{model}' AND started_at IS NOT NULL ORDER BY started_at");
        await using var rows = await command.ExecuteReaderAsync();
        var waits = new List<(TimeSpan, TimeSpan)>();
        while (await rows.ReadAsync())
        {
            var started = rows.GetFieldValue<DateTimeOffset>(1);
            waits.Add((started - began, started - rows.GetFieldValue<DateTimeOffset>(0)));
        }
        return waits;
    }

    private static TimeSpan[] Services(RunLine[] ledgers)
    {
        var ends = ledgers.Where(l => l.What == "end").GroupBy(l => l.Requests[0]).ToDictionary(g => g.Key, g => g.First().At);
        return ledgers.Where(l => l.What == "start" && ends.ContainsKey(l.Requests[0])).Select(l => TimeSpan.FromMicroseconds(ends[l.Requests[0]] - l.At)).ToArray();
    }
}
