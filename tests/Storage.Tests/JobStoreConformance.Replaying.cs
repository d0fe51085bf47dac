using Millrace.Storage.Jobs;
using Millrace.Storage.Replays;

namespace Millrace.Storage.Tests;

/// <summary>Failed jobs in groups, and jobs made again from others.</summary>
public abstract partial class JobStoreConformance
{
    private static readonly ReplaySettings Newest = new() { ModelVersion = "9" };
    private static readonly JobFilter FailedOnes = new() { Tenant = "a", States = [JobState.Failed], Limit = 0 };

    [Fact]
    public async Task Given_a_failed_job_When_replayed_Then_a_new_one_has_its_input_and_the_source_stays_as_it_is()
    {
        var source = await FailedAsync(New(priority: 2) with { Input = new byte[] { 7, 8 }, Metadata = new Dictionary<string, string> { ["k"] = "v" }, ResultTtl = TimeSpan.FromHours(2) });
        var before = await ReadAsync(source);

        var made = await ReplayAsync(source, Newest);

        Assert.NotEqual(source, made.Job.Id);
        Assert.Equal((source, 0, JobState.Queued, 2, "9", "v"), (made.Job.ReplayOf, made.Job.Attempt, made.Job.State, made.Job.Priority, made.Job.ModelVersion, made.Job.Metadata["k"]));
        Assert.Equal(made.Job.CreatedAt + (before.ExpiresAt - before.CreatedAt), made.Job.ExpiresAt);
        Assert.Equivalent(made.Job, await ReadAsync(made.Job.Id), strict: true);
        Assert.Equivalent(before, await ReadAsync(source), strict: true);
        Assert.Equal([7, 8], (await ClaimOneAsync(made.Job)).Input.ToArray());
        Assert.Equal(made.Job.Id, Assert.Single(await Store.Jobs.ListAsync(new JobFilter { Tenant = "a", ReplayOf = source, Limit = 5 }, Cancellation)).Id);
    }

    [Fact]
    public async Task Given_what_can_not_be_replayed_When_replayed_Then_it_says_why_and_makes_nothing()
    {
        var gone = await FailedAsync(New() with { ResultTtl = TimeSpan.FromMinutes(1) });
        var queued = await AddAsync(New());
        await PassAsync(TimeSpan.FromMinutes(1));
        Assert.IsType<ReplayOutcome.NotFinal>(await Store.Replays.ReplayAsync("a", queued.Id, Newest, Cancellation));
        Assert.IsType<ReplayOutcome.InputExpired>(await Store.Replays.ReplayAsync("a", gone, Newest, Cancellation));
        Assert.IsType<ReplayOutcome.Unknown>(await Store.Replays.ReplayAsync("b", gone, Newest, Cancellation));
        Assert.IsType<ReplayOutcome.Unknown>(await Store.Replays.ReplayAsync("a", JobId.New(Time.GetUtcNow()), Newest, Cancellation));
        Assert.Equal(2, (await Store.Jobs.ListAsync(new JobFilter { Tenant = "a", Limit = 10 }, Cancellation)).Count);
    }

    [Fact]
    public async Task Given_versions_When_replayed_Then_the_callers_wins_over_the_sources_own_and_that_over_the_newest()
    {
        var named = await FailedAsync(New() with { VersionNamed = true });
        Assert.Equal("1", (await ReplayAsync(named, Newest)).Job.ModelVersion);
        Assert.Equal("9", (await ReplayAsync(named, Newest with { OverrideVersion = true })).Job.ModelVersion);
        Assert.True((await ReplayAsync(named, Newest)).Job.VersionNamed);
    }

    [Fact]
    public async Task Given_a_key_When_a_replay_is_repeated_Then_there_is_one_also_when_its_input_is_gone_meanwhile()
    {
        var source = await FailedAsync(New() with { ResultTtl = TimeSpan.FromMinutes(1) });
        var settings = Newest with { Key = Key("r"), Priority = 1, Timeout = TimeSpan.FromSeconds(9), ExpiresIn = TimeSpan.FromMinutes(5) };
        var made = await ReplayAsync(source, settings);
        Assert.Equal((1, TimeSpan.FromSeconds(9), made.Job.CreatedAt.AddMinutes(5)), (made.Job.Priority, made.Job.Timeout, made.Job.ExpiresAt));
        await PassAsync(TimeSpan.FromMinutes(2));
        var again = Assert.IsType<ReplayOutcome.Made>(await Store.Replays.ReplayAsync("a", source, settings, Cancellation));
        Assert.Equal(made.Job.Id, Assert.IsType<AddOutcome.Replayed>(again.Outcome).Job.Id);
        Assert.IsType<AddOutcome.KeyReused>(Assert.IsType<ReplayOutcome.Made>(await Store.Replays.ReplayAsync("a", source, settings with { Key = Key("r", body: 2) }, Cancellation)).Outcome);
    }

    [Fact]
    public async Task Given_failures_of_two_kinds_When_listed_Then_they_are_grouped_and_paged_the_last_seen_first()
    {
        var first = await FailedAsync(New(), "one");
        var second = await FailedAsync(New(), "two");
        var third = await FailedAsync(New(), "one");
        await FailedAsync(New("b"), "one");
        await RunningAsync(New());

        var groups = await Store.Replays.ListFailuresAsync(FailedOnes, null, 10, Cancellation);

        Assert.Equal([("one", 2L, third), ("two", 1, second)], groups.Select(g => (g.Fingerprint, g.Count, g.Example)));
        Assert.Equal(((await ReadAsync(first)).FinishedAt, (await ReadAsync(third)).FinishedAt), (groups[0].FirstSeen, groups[0].LastSeen));
        Assert.Equal((Model, "1", JobErrorCodes.ModelError, "It failed."), (groups[0].Model, groups[0].ModelVersion, groups[0].Code, groups[0].Message));
        var page = await Store.Replays.ListFailuresAsync(FailedOnes, null, 1, Cancellation);
        Assert.Equal(2, page.Count);
        Assert.Equal("two", Assert.Single(await Store.Replays.ListFailuresAsync(FailedOnes, (page[0].LastSeen, page[0].Fingerprint), 1, Cancellation)).Fingerprint);
        Assert.Equal("two", Assert.Single(await Store.Replays.ListFailuresAsync(FailedOnes with { Fingerprint = "two" }, null, 10, Cancellation)).Fingerprint);
        Assert.Empty(await Store.Replays.ListFailuresAsync(FailedOnes with { Model = "other" }, null, 10, Cancellation));
        Assert.Equal([third, first], (await Store.Jobs.ListAsync(new JobFilter { Tenant = "a", Fingerprint = "one", Limit = 10 }, Cancellation)).Select(j => j.Id));
    }

    [Fact]
    public async Task Given_a_filter_When_planned_Then_it_counts_and_writes_nothing_and_changes_with_the_set()
    {
        var gone = await FailedAsync(New() with { ResultTtl = TimeSpan.FromMinutes(1) });
        var sources = new List<JobId>();
        for (var at = 0; at < 3; at++)
            sources.Add(await FailedAsync(New()));
        var running = await RunningAsync(New());
        await PassAsync(TimeSpan.FromMinutes(1));
        var filter = FailedOnes with { States = [JobState.Failed, JobState.Running] };

        var plan = await Store.Replays.PlanAsync(filter, 100, Cancellation);

        Assert.Equal((5, 3, 1, 1), (plan.Matched, plan.Replayable, plan.InputExpired, plan.NotFinished));
        Assert.Equal(sources, plan.Sample);
        Assert.Equal((2, 1), (await Store.Replays.PlanAsync(filter, 2, Cancellation)) is var two ? (two.Matched, two.Replayable) : default);
        Assert.Equal(plan.Plan, (await Store.Replays.PlanAsync(filter, 100, Cancellation)).Plan);
        Assert.Equal(5, (await Store.Jobs.ListAsync(new JobFilter { Tenant = "a", Limit = 100 }, Cancellation)).Count);
        await FailAsync(running, retryable: false);
        await FailedAsync(New());
        Assert.NotEqual(plan.Plan, (await Store.Replays.PlanAsync(filter, 100, Cancellation)).Plan);
        Assert.IsType<BulkOutcome.PlanChanged>(await Store.Replays.AddBulkAsync(Bulk() with { Filter = filter, Plan = plan.Plan, Key = Key("p") }, Cancellation));
        Assert.IsType<BulkOutcome.Added>(await Store.Replays.AddBulkAsync(Bulk() with { Filter = filter, Key = Key("p", body: 2) }, Cancellation)); // the refusal used up no key
        Assert.NotEqual(gone, plan.Sample[0]);
    }

    [Fact]
    public async Task Given_a_bulk_replay_When_many_step_it_at_once_Then_each_source_is_made_once_and_new_failures_are_not()
    {
        var sources = new List<JobId>();
        for (var at = 0; at < 25; at++)
            sources.Add(await FailedAsync(New()));
        var replay = await BulkAsync(Bulk() with { Priority = 9, ModelVersion = "3" });
        await FailedAsync(New());

        for (var round = 0; round < 20 && (await ReadBulkAsync(replay)).State == BulkReplayState.Running; round++)
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Store.Replays.StepBulkAsync(replay.Id, _ => "9", 4, Cancellation)));

        var ended = await ReadBulkAsync(replay);
        Assert.Equal((BulkReplayState.Finished, 25, 25, 0, 0), (ended.State, ended.Matched, ended.Created, ended.Skipped, ended.Failed));
        Assert.Equal(Time.GetUtcNow(), ended.FinishedAt);
        var made = (await Store.Jobs.ListAsync(new JobFilter { Tenant = "a", States = [JobState.Queued], Limit = 100 }, Cancellation)).ToArray();
        Assert.Equal(sources.Order(ById), made.Select(j => j.ReplayOf!.Value).Order(ById));
        Assert.All(made, j => Assert.Equal((9, "3", true), (j.Priority, j.ModelVersion, j.DispatchedAt is not null)));
        Assert.Empty(await Store.Replays.StepBulkAsync(replay.Id, _ => "9", 4, Cancellation));
        Assert.Empty(await Store.Replays.DueBulksAsync(Cancellation));
    }

    [Fact]
    public async Task Given_sources_without_input_or_version_When_stepped_Then_they_are_counted_and_the_replay_ends()
    {
        await FailedAsync(New() with { ResultTtl = TimeSpan.FromMinutes(1) });
        await FailedAsync(New(model: "none"));
        await FailedAsync(New());
        var replay = await BulkAsync(Bulk());
        await PassAsync(TimeSpan.FromMinutes(1));
        await PurgeAsync(TimeSpan.FromDays(1));

        await Store.Replays.StepBulkAsync(replay.Id, model => model == Model ? "9" : null, 100, Cancellation);

        var ended = await ReadBulkAsync(replay);
        Assert.Equal((BulkReplayState.Finished, 3, 1, 1, 1), (ended.State, ended.Matched, ended.Created, ended.Skipped, ended.Failed));
    }

    [Fact]
    public async Task Given_a_rate_When_stepped_Then_the_stores_clock_keeps_it()
    {
        for (var at = 0; at < 40; at++)
            await FailedAsync(New());
        var replay = await BulkAsync(Bulk() with { RatePerSecond = 10 });
        async Task<int> StepAsync()
        {
            await Store.Replays.StepBulkAsync(replay.Id, _ => "9", 100, Cancellation);
            return (await ReadBulkAsync(replay)).Created;
        }

        Assert.Equal((1, 1), (await StepAsync(), await StepAsync()));
        Assert.Empty(await Store.Replays.DueBulksAsync(Cancellation));
        await PassAsync(TimeSpan.FromMilliseconds(250));
        Assert.Equal(3, await StepAsync());
        await PassAsync(TimeSpan.FromMilliseconds(50));
        Assert.Equal(4, await StepAsync()); // the half that was left over counts
        await PassAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(14, await StepAsync()); // but not what was missed for long
        await PassAsync(TimeSpan.FromMilliseconds(100));
        Assert.Equal(replay.Id, Assert.Single(await Store.Replays.DueBulksAsync(Cancellation)).Id);
        Assert.NotNull(await Store.Replays.CancelBulkAsync("a", replay.Id, Entry(), Cancellation));
        await PassAsync(TimeSpan.FromDays(2));
        await PurgeAsync(TimeSpan.FromMinutes(1));
        Assert.Null(await Store.Replays.ReadBulkAsync("a", replay.Id, Cancellation));
    }

    [Fact]
    public async Task Given_a_bulk_replay_When_canceled_or_repeated_by_key_Then_no_more_is_made_and_there_is_one()
    {
        for (var at = 0; at < 5; at++)
            await FailedAsync(New());
        var replay = await BulkAsync(Bulk() with { Key = Key("b") });
        Assert.Equal(replay.Id, Assert.IsType<BulkOutcome.Repeated>(await Store.Replays.AddBulkAsync(Bulk() with { Key = Key("b") }, Cancellation)).Replay.Id);
        Assert.IsType<BulkOutcome.KeyReused>(await Store.Replays.AddBulkAsync(Bulk() with { Key = Key("b", body: 2) }, Cancellation));
        await Store.Replays.StepBulkAsync(replay.Id, _ => "9", 2, Cancellation);

        Assert.Null(await Store.Replays.CancelBulkAsync("b", replay.Id, Entry(), Cancellation));
        Assert.Equal(BulkReplayState.Canceled, (await Store.Replays.CancelBulkAsync("a", replay.Id, Entry(), Cancellation))!.State);

        Assert.Empty(await Store.Replays.StepBulkAsync(replay.Id, _ => "9", 100, Cancellation));
        Assert.Equal(2, (await ReadBulkAsync(replay)).Created);
        Assert.Null(await Store.Replays.ReadBulkAsync("b", replay.Id, Cancellation));
    }

    private static NewBulkReplay Bulk() => new() { Filter = FailedOnes, MaxJobs = 1000, Audit = Entry("replay.start", "") };

    private async Task<BulkReplay> BulkAsync(NewBulkReplay replay) => Assert.IsType<BulkOutcome.Added>(await Store.Replays.AddBulkAsync(replay, Cancellation)).Replay;

    private async Task<BulkReplay> ReadBulkAsync(BulkReplay replay) => (await Store.Replays.ReadBulkAsync("a", replay.Id, Cancellation))!;

    private async Task<AddOutcome.Added> ReplayAsync(JobId source, ReplaySettings settings) =>
        Assert.IsType<AddOutcome.Added>(Assert.IsType<ReplayOutcome.Made>(await Store.Replays.ReplayAsync("a", source, settings, Cancellation)).Outcome);

    private async Task<JobId> FailedAsync(NewJob job, string fingerprint = "print")
    {
        var claim = await RunningAsync(job);
        await FinishAsync(new AttemptEnd.Failed(claim.Id, claim.Fence, new JobError(JobErrorCodes.ModelError, "It failed.", claim.Attempt, false), default, fingerprint));
        return claim.Id;
    }
}
