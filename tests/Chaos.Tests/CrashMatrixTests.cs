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
    [InlineData("before_publish", 10)]
    [InlineData("after_publish", 10)]
    public async Task Given_an_API_that_dies_while_accepting_When_it_is_back_Then_no_accepted_job_is_lost(string point, int hit)
    {
        await using var experiment = await StartAsync([$"{point}=kill@{hit}", ""], Two);
        await DiesAsync(experiment, experiment.Cluster.Processes[0], () => experiment.SubmitAsync(200, 5), isApi: true);
    }

    [Fact]
    public async Task Given_an_API_that_dies_between_marking_and_publishing_When_another_looks_Then_the_tickets_are_made_again()
    {
        await using var experiment = await StartAsync(["after_refill=kill@2", ""], Two, "Millrace:Store:Window=20");
        await DiesAsync(experiment, experiment.Cluster.Processes[0], () => experiment.SubmitAsync(300, 5), isApi: true);
    }

    [Theory]
    [InlineData("on_delivery", 8)]
    [InlineData("after_claim", 8)]
    [InlineData("in_run", 12)]
    [InlineData("after_run", 12)]
    [InlineData("after_finish", 6)]
    public async Task Given_a_worker_that_dies_on_a_jobs_way_When_another_takes_over_Then_every_job_ends_once(string point, int hit)
    {
        await using var experiment = await StartAsync(One, [$"{point}=kill@{hit}", ""]);
        await DiesAsync(experiment, experiment.Cluster.Processes[1], () => experiment.SubmitAsync(200, 5), isApi: false);
    }

    [Fact]
    public async Task Given_a_worker_that_dies_while_renewing_When_the_lease_ends_Then_the_job_runs_again()
    {
        await using var experiment = await StartAsync(One, ["in_renew=kill@2", ""]);
        await DiesAsync(experiment, experiment.Cluster.Processes[1], () => experiment.SubmitAsync(8, 2500, submitters: 8), isApi: false);
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
        // Whichever of the two takes back first dies; the other may have nothing left to take.
        await Waiting.UntilAsync(() => experiment.Cluster.Processes[..2].Any(p => p.HasExited), "a reconciler dies", 60);
        foreach (var api in experiment.Cluster.Processes[..2].Where(p => p.HasExited).ToArray())
        {
            Assert.Equal(Killed, await api.ExitAsync());
            await experiment.StartApiAsync();
            experiment.Forget(api);
        }
        await submitting;
        await MustHoldAsync(experiment);
    }

    [Fact]
    public async Task Given_tickets_that_the_broker_lost_and_a_reconciler_that_dies_When_the_other_looks_Then_every_job_ends_once()
    {
        await using var experiment = await StartAsync(["after_deficit=kill@1", ""], []);
        await experiment.StartWorkerAsync(); // announces the model
        var worker = experiment.Cluster.Processes[2];
        await Waiting.UntilAsync(async () => (await worker.Client.FetchAsync("/v2/health/ready")).Status == 200, "the worker is announced", 60);
        worker.Signal(MillraceProcess.Kill);
        await worker.ExitAsync();
        await experiment.SubmitAsync(100, 5);
        await using var broker = await Broker.ConnectAsync(rabbit.Url);
        Assert.True(await broker.PurgeAsync($"{experiment.Cluster.Prefix}jobs.{Experiment.Model}") > 0, "There was no ticket to lose.");
        var api = experiment.Cluster.Processes[0];
        await Waiting.UntilAsync(() => api.HasExited || experiment.Cluster.Processes[1].HasExited, "the reconciler dies", 60);
        Assert.Equal(Killed, await api.ExitAsync());
        experiment.Forget(api);
        await experiment.StartWorkerAsync();
        await MustHoldAsync(experiment);
    }

    [Fact]
    public async Task Given_a_purge_that_is_killed_When_another_goes_on_Then_only_ended_jobs_are_gone_and_nothing_is_left_of_them()
    {
        await using var experiment = await StartAsync(["after_purge=kill@1", ""], One);
        await experiment.SubmitAsync(150, 1);
        await experiment.Load.ReadAllAsync(TimeSpan.FromSeconds(60), Cancellation);
        await experiment.SubmitAsync(10, 50);
        await experiment.Witness.ExecuteAsync("UPDATE jobs SET purge_at = clock_timestamp(), finished_at = finished_at - interval '8 days' WHERE state >= 2", Cancellation);
        var apis = experiment.Cluster.Processes[..1];
        await Waiting.UntilAsync(async () => apis.Any(p => p.HasExited) || await experiment.Witness.CountAsync("SELECT count(*) FROM jobs WHERE purge_at <= clock_timestamp()", Cancellation) == 0, "the purge is over", 60);
        Assert.True(apis[0].HasExited, "The other API purged all: the fault did not bite.");
        experiment.Forget(apis[0]);
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

    private Task<Experiment> StartAsync(string[] apis, string[] workers, params string[] settings) =>
        Experiment.StartAsync(rabbit.Url, postgres.NewSchema(), apis, workers, Cancellation, settings);

    /// <summary>The process must die of its fault while the load runs; it is started again without one.</summary>
    private static async Task DiesAsync(Experiment experiment, MillraceProcess process, Func<Task> load, bool isApi)
    {
        var submitting = load();
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

    private static async Task MustHoldAsync(Experiment experiment)
    {
        var (counts, violations) = await experiment.JudgeAsync();
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
