using Millrace.Tests.Support;
using Millrace.Tests.Support.Servers;
using RabbitMQ.Client;

[assembly: AssemblyFixture(typeof(PostgresFixture))]
[assembly: AssemblyFixture(typeof(RabbitFixture))]

namespace Millrace.Chaos.Tests;

/// <summary>A process dies by SIGKILL at each step of a job's way, under load; afterwards every accepted job has ended once, and the whole history is legal.
/// A test in which the process did not die fails.</summary>
public sealed class CrashMatrixTests(PostgresFixture postgres, RabbitFixture rabbit)
{
    private const int Killed = 128 + 9;
    private static readonly string[] One = [""];
    private static readonly string[] Two = ["", ""];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("before_insert", 40)]
    [InlineData("after_commit", 40)]
    [InlineData("before_publish", 3)] // many jobs may share one
    [InlineData("after_publish", 3)]
    public async Task Given_an_API_that_dies_while_accepting_When_it_is_back_Then_no_accepted_job_is_lost(string point, int hit)
    {
        await using var experiment = await StartAsync([$"{point}=kill@{hit}", ""], Two);
        await DiesAsync(experiment, experiment.Cluster.Processes[0], SubmitUntilGoneAsync, isApi: true);
    }

    [Fact]
    public async Task Given_an_API_that_dies_between_marking_and_publishing_When_another_looks_Then_the_tickets_are_made_again()
    {
        await using var experiment = await StartAsync(["after_refill=kill@2", "after_refill=kill@2"], Two, "Millrace:Store:Window=20");
        var submitting = experiment.SubmitAsync(300, 5);
        await AnApiDiesAsync(experiment);
        await submitting;
        await MustHoldAsync(experiment);
    }

    [Theory]
    [InlineData("on_delivery", 2)] // many jobs may share one
    [InlineData("after_claim", 2)]
    [InlineData("in_run", 5)]
    [InlineData("after_run", 5)]
    [InlineData("after_finish", 2)]
    public async Task Given_a_worker_that_dies_on_a_jobs_way_When_another_takes_over_Then_every_job_ends_once(string point, int hit)
    {
        await using var experiment = await StartAsync(One, [$"{point}=kill@{hit}", ""]);
        await DiesAsync(experiment, experiment.Cluster.Processes[1], SubmitUntilGoneAsync, isApi: false);
    }

    [Fact]
    public async Task Given_a_worker_that_dies_while_renewing_When_the_lease_ends_Then_the_job_runs_again()
    {
        await using var experiment = await StartAsync(One, ["in_renew=kill@2", ""]);
        await DiesAsync(experiment, experiment.Cluster.Processes[1], static (experiment, _) => experiment.SubmitAsync(8, 2500, submitters: 8), isApi: false);
    }

    [Fact]
    public async Task Given_a_reconciler_that_dies_after_taking_back_When_the_other_goes_on_Then_every_job_ends_once()
    {
        await using var experiment = await StartAsync(["after_take_back=kill@1", "after_take_back=kill@1"], One);
        var submitting = experiment.SubmitAsync(60, 20);
        await Waiting.UntilAsync(async () => await experiment.Witness.CountAsync("SELECT count(*) FROM jobs WHERE state = 1", Cancellation) > 0, "jobs run");
        var worker = experiment.Cluster.Processes[2];
        worker.Signal(MillraceProcess.Kill);
        await worker.ExitAsync();
        await experiment.StartWorkerAsync();
        await AnApiDiesAsync(experiment);
        await submitting;
        await MustHoldAsync(experiment);
    }

    [Fact]
    public async Task Given_tickets_that_the_broker_lost_and_a_reconciler_that_dies_When_the_other_looks_Then_every_job_ends_once()
    {
        await using var experiment = await StartAsync(["after_deficit=kill@1", "after_deficit=kill@1"], []);
        await experiment.StartWorkerAsync(); // announces the model
        var worker = experiment.Cluster.Processes[2];
        await Waiting.UntilAsync(async () => (await worker.Management.FetchAsync("/health/ready")).Status == 200, "the worker is announced", 60);
        worker.Signal(MillraceProcess.Kill);
        await worker.ExitAsync();
        await experiment.SubmitAsync(100, 5);
        await using var broker = await Broker.ConnectAsync(rabbit.Url);
        Assert.True(await broker.PurgeAsync($"{experiment.Cluster.Prefix}jobs.{Experiment.Model}") > 0, "There was no ticket to lose.");
        await AnApiDiesAsync(experiment);
        await experiment.StartWorkerAsync();
        await MustHoldAsync(experiment);
    }

    [Fact]
    public async Task Given_a_purge_that_is_killed_When_another_goes_on_Then_only_ended_jobs_are_gone_and_nothing_is_left_of_them()
    {
        await using var experiment = await StartAsync(["after_purge=kill@1", "after_purge=kill@1"], One);
        await experiment.SubmitAsync(150, 1);
        await experiment.Load.ReadAllAsync(TimeSpan.FromSeconds(60), Cancellation);
        await experiment.SubmitAsync(10, 50);
        await experiment.Witness.ExecuteAsync("UPDATE jobs SET purge_at = clock_timestamp(), finished_at = finished_at - interval '8 days' WHERE state >= 2", Cancellation);
        await AnApiDiesAsync(experiment);
        await Waiting.UntilAsync(async () => await experiment.Witness.CountAsync("SELECT count(*) FROM jobs WHERE purge_at <= clock_timestamp()", Cancellation) == 0, "the other goes on", 60);
        Assert.Equal(0, await experiment.Witness.CountAsync("SELECT (SELECT count(*) FROM job_inputs WHERE job_id NOT IN (SELECT id FROM jobs)) + (SELECT count(*) FROM job_results WHERE job_id NOT IN (SELECT id FROM jobs))", Cancellation));
        Assert.True(await experiment.Witness.CountAsync("SELECT count(*) FROM witness WHERE new_state IS NULL", Cancellation) >= 100);
        Assert.Equal(0, await experiment.Witness.CountAsync("SELECT count(*) FROM witness WHERE new_state IS NULL AND old_state < 2", Cancellation));
    }

    [Fact]
    public async Task Given_a_worker_that_is_stopped_beyond_its_lease_When_it_goes_on_Then_its_late_result_changes_nothing_and_it_serves_again()
    {
        await using var experiment = await StartAsync(One, One);
        var frozen = experiment.Cluster.Processes[1];
        await experiment.SubmitAsync(1, 1500);
        await Waiting.UntilAsync(async () => await experiment.Witness.CountAsync("SELECT count(*) FROM jobs WHERE state = 1", Cancellation) == 1, "the job runs");
        frozen.Signal(MillraceProcess.Stop);
        await Waiting.UntilAsync(async () => await experiment.Witness.CountAsync("SELECT count(*) FROM witness WHERE old_state = 1 AND new_state = 0", Cancellation) == 1, "it is taken back", 60);
        var other = await experiment.StartWorkerAsync();
        await Waiting.UntilAsync(async () => await experiment.Witness.CountAsync("SELECT count(*) FROM jobs WHERE fence > 2", Cancellation) == 1, "it is claimed again", 60);
        frozen.Signal(MillraceProcess.Continue);
        await experiment.Load.ReadAllAsync(TimeSpan.FromSeconds(90), Cancellation);
        other.Signal(MillraceProcess.Terminate);
        Assert.Equal(0, await other.ExitAsync());
        await experiment.SubmitAsync(20, 1); // by the one that was frozen, which is alone now
        await MustHoldAsync(experiment);
    }

    [Fact]
    public async Task Given_commits_whose_answers_are_lost_When_clients_and_workers_repeat_Then_nothing_is_stored_or_ended_twice()
    {
        var url = new Uri(postgres.NewSchema());
        await using var cutter = new CommitCutter(url);
        await using var experiment = await Experiment.StartAsync(
            rabbit.Url, new UriBuilder(url) { Host = "127.0.0.1", Port = cutter.Port }.Uri.ToString(), Two, Two, Cancellation);
        var submitting = experiment.SubmitAsync(250, 10);
        for (var cuts = 1; cuts <= 8; cuts++)
        {
            cutter.CutNext(1);
            await Waiting.UntilAsync(() => cutter.Cut >= cuts || submitting.IsCompleted, "a commit is cut");
        }
        await submitting;
        Assert.True(cutter.Cut >= 5, $"Only {cutter.Cut} commits were cut.");
        await MustHoldAsync(experiment);
    }

    [Fact]
    public async Task Given_any_process_killed_every_few_seconds_When_load_goes_on_Then_all_holds()
    {
        var random = new Random(42);
        await using var experiment = await StartAsync(Two, Two);
        var submitting = new List<Task>();
        for (var kill = 0; kill < 6; kill++)
        {
            var accepted = experiment.Load.Accepted.Count;
            submitting.Add(experiment.SubmitAsync(50, 20));
            await Waiting.UntilAsync(async () => experiment.Load.Accepted.Count >= accepted + 10
                && await experiment.Witness.CountAsync("SELECT count(*) FROM jobs WHERE state = 1", Cancellation) > 0, "jobs run", 90);
            var alive = experiment.Cluster.Processes.Where(p => !p.HasExited).ToArray();
            var victim = alive[random.Next(alive.Length)];
            var isApi = experiment.IsApi(victim);
            victim.Signal(MillraceProcess.Kill);
            Assert.Equal(Killed, await victim.ExitAsync());
            experiment.Forget(victim);
            await (isApi ? experiment.StartApiAsync() : experiment.StartWorkerAsync());
        }
        await Task.WhenAll(submitting);
        await MustHoldAsync(experiment);
    }

    private Task<Experiment> StartAsync(string[] apis, string[] workers, params string[] settings) =>
        Experiment.StartAsync(rabbit.Url, postgres.NewSchema(), apis, workers, Cancellation, settings);

    /// <summary>The process must die of its fault while the load runs; it is started again without one.</summary>
    private static async Task DiesAsync(Experiment experiment, MillraceProcess process, Func<Experiment, MillraceProcess, Task> load, bool isApi)
    {
        var submitting = load(experiment, process);
        Assert.Equal(Killed, await process.ExitAsync());
        if (isApi)
        {
            await experiment.StartApiAsync();
            experiment.Forget(process);
        }
        else
        {
            await experiment.StartWorkerAsync();
        }
        await submitting;
        await MustHoldAsync(experiment);
    }

    /// <summary>Two hundred jobs may all be on two messages, when the first takes its time.</summary>
    private static async Task SubmitUntilGoneAsync(Experiment experiment, MillraceProcess process)
    {
        do
            await experiment.SubmitAsync(200, 5);
        while (!process.HasExited);
    }

    /// <summary>Both would die: whichever comes to the point first does, and the other may have nothing left to do. A third takes over.</summary>
    private static async Task AnApiDiesAsync(Experiment experiment)
    {
        await Waiting.UntilAsync(() => experiment.Cluster.Processes[..2].Any(p => p.HasExited), "an API dies", 60);
        Assert.Equal(Killed, await experiment.Cluster.Processes[..2].First(p => p.HasExited).ExitAsync());
        await experiment.StartApiAsync();
    }

    private static async Task MustHoldAsync(Experiment experiment)
    {
        foreach (var dead in experiment.Cluster.Processes.Where(p => p.HasExited))
            experiment.Forget(dead);
        var (counts, violations) = await experiment.JudgeAsync();
        await new Report.Record(TestContext.Current.Test!.TestDisplayName.Split('.')[^1].Replace('_', ' '), counts, violations).AppendAsync();
        Assert.True(violations.Count == 0, string.Join('\n', violations.Take(20)));
        Assert.True(counts is { Accepted: > 0, Lost: 0, Unexpected: 0, Duplicated: 0 }, counts.ToString());
    }
}

/// <summary>A hand in the broker.</summary>
internal sealed class Broker(IConnection connection, IChannel channel) : IAsyncDisposable
{
    public static async Task<Broker> ConnectAsync(string url)
    {
        var connection = await new ConnectionFactory { Uri = new Uri(url) }.CreateConnectionAsync(TestContext.Current.CancellationToken);
        return new Broker(connection, await connection.CreateChannelAsync(cancellationToken: TestContext.Current.CancellationToken));
    }

    public async Task<uint> PurgeAsync(string queue) => await channel.QueuePurgeAsync(queue, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await channel.DisposeAsync();
        await connection.DisposeAsync();
    }
}
