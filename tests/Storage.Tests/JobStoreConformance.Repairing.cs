using Millrace.Storage.Jobs;

namespace Millrace.Storage.Tests;

/// <summary>What is mended when time has passed: leases, expiry, and what is kept too long.</summary>
public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task Given_a_lease_that_ended_When_taken_back_Then_the_job_is_queued_again_and_runs_alone()
    {
        var claim = await RunningAsync(New());
        await PassAsync(Lease + TimeSpan.FromSeconds(1));

        var repaired = Assert.Single(await TakeBackAsync());

        Assert.Equal(new RepairedJob(claim.Id, Model, JobState.Queued, "worker", 1), repaired);
        var job = await ReadAsync(claim.Id);
        Assert.Equal((JobState.Queued, 1, JobErrorCodes.WorkerLost), (job.State, job.Attempt, job.Error?.Code));
        Assert.Equal(FinishOutcome.Dropped, await SucceedAsync(claim, 1));
        Assert.Equal([claim.Id], await Store.Claims.RenewAsync([(claim.Id, claim.Fence)], Lease, Cancellation));
        Assert.Equal([claim.Id.Value], await RefillAsync());
        var second = await ClaimOneAsync(job);
        Assert.Equal((2, true), (second.Attempt, second.Alone));
        var attempts = (await Store.Jobs.ReadDetailsAsync("a", claim.Id, Cancellation))!.Attempts;
        Assert.Equal((1, JobErrorCodes.WorkerLost), (attempts[0].Attempt, attempts[0].Error?.Code));
    }

    [Fact]
    public async Task Given_a_lease_that_ended_in_the_last_attempt_When_taken_back_Then_the_job_failed_by_a_lost_worker()
    {
        var claim = await RunningAsync(New(attempts: 1));
        await PassAsync(Lease + TimeSpan.FromSeconds(1));

        Assert.Equal(JobState.Failed, Assert.Single(await TakeBackAsync()).State);

        var job = await ReadAsync(claim.Id);
        Assert.Equal((JobState.Failed, 1, JobErrorCodes.WorkerLost), (job.State, job.Attempt, job.Error?.Code));
        Assert.Equal(Time.GetUtcNow(), job.FinishedAt);
        Assert.NotNull(job.Fingerprint);
        Assert.NotNull(job.ResultExpiresAt);
        Assert.Empty(await TakeBackAsync());
    }

    [Fact]
    public async Task Given_a_renewed_lease_When_the_first_one_has_ended_Then_the_job_is_not_taken_back()
    {
        var claim = await RunningAsync(New());
        await PassAsync(TimeSpan.FromSeconds(20));
        Assert.Empty(await Store.Claims.RenewAsync([(claim.Id, claim.Fence)], Lease, Cancellation));
        await PassAsync(TimeSpan.FromSeconds(20));
        Assert.Empty(await TakeBackAsync());
        Assert.Equal(FinishOutcome.Ended, await SucceedAsync(claim, 1));
        await PassAsync(TimeSpan.FromDays(1));
        Assert.Empty(await TakeBackAsync());
    }

    [Fact]
    public async Task Given_a_job_that_never_started_When_its_time_is_over_Then_it_expired()
    {
        var job = await AddAsync(New() with { ExpiresIn = TimeSpan.FromSeconds(5) });
        await PassAsync(TimeSpan.FromSeconds(4.9));
        Assert.Empty(await ExpireAsync());
        await PassAsync(TimeSpan.FromSeconds(0.1));
        Assert.Empty(await ClaimAsync(job));

        Assert.Equal(JobState.Expired, Assert.Single(await ExpireAsync()).State);

        var expired = await ReadAsync(job.Id);
        Assert.Equal((JobState.Expired, 0, JobErrorCodes.ExpiredInQueue), (expired.State, expired.Attempt, expired.Error?.Code));
        Assert.Null(expired.StartedAt);
        Assert.Equal(Time.GetUtcNow(), expired.FinishedAt);
        Assert.Empty(await ExpireAsync());
    }

    [Fact]
    public async Task Given_a_job_that_waits_for_another_attempt_When_its_time_is_over_Then_it_failed_with_its_last_error()
    {
        var claim = await RunningAsync(New() with { ExpiresIn = TimeSpan.FromSeconds(5) });
        await FailAsync(claim, backoff: TimeSpan.FromSeconds(1));
        await PassAsync(TimeSpan.FromSeconds(5));

        Assert.Equal(JobState.Failed, Assert.Single(await ExpireAsync()).State);

        var failed = await ReadAsync(claim.Id);
        Assert.Equal((JobState.Failed, 1, JobErrorCodes.ModelError), (failed.State, failed.Attempt, failed.Error?.Code));
        Assert.NotNull(failed.Fingerprint);
    }

    [Fact]
    public async Task Given_a_running_job_When_its_expiry_passes_Then_it_goes_on()
    {
        var claim = await RunningAsync(New() with { ExpiresIn = TimeSpan.FromSeconds(5) });
        await PassAsync(TimeSpan.FromSeconds(6));
        Assert.Empty(await ExpireAsync());
        Assert.Equal(FinishOutcome.Ended, await SucceedAsync(claim, 1));
    }

    [Fact]
    public async Task Given_a_result_When_its_time_is_over_Then_it_is_gone_and_the_row_stays_for_its_own_time()
    {
        var claim = await RunningAsync(New() with { ResultTtl = TimeSpan.FromMinutes(1) });
        await SucceedAsync(claim, 1);
        Assert.Equal(0, await PurgeAsync(TimeSpan.FromMinutes(5)));
        await PassAsync(TimeSpan.FromMinutes(1));
        Assert.Null(await ReadResultAsync(claim.Id)); // on time, whether or not it is purged yet

        Assert.Equal(1, await PurgeAsync(TimeSpan.FromMinutes(5)));
        Assert.Equal(JobState.Succeeded, (await ReadAsync(claim.Id)).State);
        Assert.Equal(0, await PurgeAsync(TimeSpan.FromMinutes(5)));
        await PassAsync(TimeSpan.FromMinutes(4));
        Assert.Equal(1, await PurgeAsync(TimeSpan.FromMinutes(5)));
        Assert.Null(await Store.Jobs.ReadAsync("a", claim.Id, Cancellation));
    }

    [Fact]
    public async Task Given_rows_kept_for_less_than_results_When_purged_Then_the_result_still_has_its_time()
    {
        var claim = await RunningAsync(New() with { ResultTtl = TimeSpan.FromHours(1) });
        await SucceedAsync(claim, 1);
        await PassAsync(TimeSpan.FromMinutes(59));
        Assert.Equal(0, await PurgeAsync(TimeSpan.FromMinutes(1)));
        Assert.NotNull(await ReadResultAsync(claim.Id));
    }

    [Fact]
    public async Task Given_jobs_that_have_not_ended_When_ages_pass_Then_none_is_purged()
    {
        var queued = await AddAsync(New() with { ExpiresIn = TimeSpan.FromDays(7), ResultTtl = TimeSpan.FromMinutes(1) });
        var running = await RunningAsync(New() with { Priority = 1, ResultTtl = TimeSpan.FromMinutes(1) });
        await PassAsync(TimeSpan.FromDays(6));

        Assert.Equal(0, await PurgeAsync(TimeSpan.FromMinutes(1)));

        Assert.Equal(FinishOutcome.Ended, await SucceedAsync(running, 1));
        Assert.Equal([1, 2, 3], (await ClaimOneAsync(queued)).Input.ToArray());
    }

    [Fact]
    public async Task Given_a_key_whose_job_is_purged_When_a_day_has_passed_Then_and_not_before_it_is_free()
    {
        var job = await AddAsync(New() with { Key = Key("k"), ResultTtl = TimeSpan.FromMinutes(1) });
        await CancelAsync(job.Id);
        await PassAsync(TimeSpan.FromHours(23.9));
        await PurgeAsync(TimeSpan.FromMinutes(1));
        Assert.IsType<AddOutcome.Gone>(await Store.Jobs.AddAsync(New() with { Key = Key("k") }, Cancellation));
        await PassAsync(TimeSpan.FromHours(0.2));
        await PurgeAsync(TimeSpan.FromMinutes(1));
        Assert.IsType<AddOutcome.Added>(await Store.Jobs.AddAsync(New() with { Key = Key("k") }, Cancellation));
    }

    [Fact]
    public async Task Given_a_key_whose_job_has_not_ended_When_a_day_has_passed_Then_it_still_names_the_job()
    {
        var job = await AddAsync(New() with { Key = Key("k"), ExpiresIn = TimeSpan.FromDays(7) });
        await PassAsync(TimeSpan.FromHours(30));
        await PurgeAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(job.Id, Assert.IsType<AddOutcome.Replayed>(await Store.Jobs.AddAsync(New() with { Key = Key("k") }, Cancellation)).Job.Id);
    }

    [Fact]
    public async Task Given_more_than_a_batch_When_mended_Then_a_pass_takes_no_more_than_asked()
    {
        for (var at = 0; at < 5; at++)
            await AddAsync(New() with { ExpiresIn = TimeSpan.FromSeconds(1), ResultTtl = TimeSpan.FromMinutes(1) });
        await PassAsync(TimeSpan.FromSeconds(2));
        Assert.Equal(3, (await Store.Repair.ExpireAsync(3, Cancellation)).Count);
        Assert.Equal(2, (await Store.Repair.ExpireAsync(3, Cancellation)).Count);
        await PassAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(3, await Store.Repair.PurgeAsync(TimeSpan.FromMinutes(1), 3, Cancellation));
        Assert.Equal(2, await Store.Repair.PurgeAsync(TimeSpan.FromMinutes(1), 3, Cancellation));
    }
}
