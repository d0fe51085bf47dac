using Millrace.Storage.Jobs;

namespace Millrace.Storage.Tests;

/// <summary>How attempts end, and what a fence keeps out.</summary>
public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task Given_a_running_job_When_it_succeeds_Then_the_result_is_kept_for_its_time()
    {
        var claim = await RunningAsync(New() with { ResultTtl = TimeSpan.FromMinutes(2) });
        await PassAsync(TimeSpan.FromSeconds(4));

        Assert.Equal(FinishOutcome.Ended, await SucceedAsync(claim, 9, 8));

        var job = await ReadAsync(claim.Id);
        Assert.Equal((JobState.Succeeded, 1), (job.State, job.Attempt));
        Assert.Equal(Time.GetUtcNow(), job.FinishedAt);
        Assert.Equal(Time.GetUtcNow().AddMinutes(2), job.ResultExpiresAt);
        Assert.Null(job.Error);
        Assert.Equal([9, 8], (await ReadResultAsync(claim.Id))!.Value.ToArray());
    }

    [Fact]
    public async Task Given_attempts_left_When_a_retryable_failure_comes_Then_the_job_waits_out_its_backoff()
    {
        var claim = await RunningAsync(New());

        Assert.Equal(FinishOutcome.Requeued, await FailAsync(claim, backoff: TimeSpan.FromSeconds(10)));

        var job = await ReadAsync(claim.Id);
        Assert.Equal((JobState.Queued, 1, JobErrorCodes.ModelError), (job.State, job.Attempt, job.Error?.Code));
        await PassAsync(TimeSpan.FromSeconds(9.9));
        Assert.Empty(await RefillAsync());
        Assert.Empty(await ClaimAsync(job));
        await PassAsync(TimeSpan.FromSeconds(0.1));
        Assert.Equal([job.Id.Value], await RefillAsync());
        var second = await ClaimOneAsync(job);
        Assert.Equal((2, false), (second.Attempt, second.Alone));
        Assert.True(second.Fence.Value > claim.Fence.Value);
    }

    [Fact]
    public async Task Given_two_attempts_When_both_fail_Then_the_job_failed_with_both_in_its_history()
    {
        var first = await RunningAsync(New(attempts: 2));
        await PassAsync(TimeSpan.FromSeconds(1));
        await FailAsync(first);
        await RefillAsync();
        var second = await ClaimOneAsync(await ReadAsync(first.Id));
        await PassAsync(TimeSpan.FromSeconds(2));

        Assert.Equal(FinishOutcome.Ended, await FailAsync(second));

        var details = (await Store.Jobs.ReadDetailsAsync("a", first.Id, Cancellation))!;
        Assert.Equal((JobState.Failed, 2, "print"), (details.Job.State, details.Job.Attempt, details.Job.Fingerprint));
        Assert.Equal(new JobError(JobErrorCodes.ModelError, "It failed.", 2, true), details.Job.Error);
        Assert.Equal([1, 2], details.Attempts.Select(a => a.Attempt));
        Assert.Equal([1, 2], details.Attempts.Select(a => a.Error?.Attempt ?? 0));
        Assert.Equal([1.0, 2.0], details.Attempts.Select(a => (a.FinishedAt - a.StartedAt)!.Value.TotalSeconds));
        Assert.All(details.Attempts, a => Assert.Equal(("worker", "1"), (a.Worker, a.ModelVersion)));
        Assert.Null(await ReadResultAsync(first.Id));
    }

    [Fact]
    public async Task Given_a_second_attempt_that_still_runs_When_read_Then_only_the_first_has_an_error()
    {
        var first = await RunningAsync(New());
        await FailAsync(first);
        await RefillAsync();
        await ClaimOneAsync(await ReadAsync(first.Id));

        var attempts = (await Store.Jobs.ReadDetailsAsync("a", first.Id, Cancellation))!.Attempts;

        Assert.Equal([1, 2], attempts.Select(a => a.Attempt));
        Assert.Equal(JobErrorCodes.ModelError, attempts[0].Error?.Code);
        Assert.Null(attempts[1].FinishedAt);
        Assert.Null(attempts[1].Error);
    }

    [Fact]
    public async Task Given_attempts_left_When_a_final_failure_comes_Then_the_job_failed_at_once()
    {
        var claim = await RunningAsync(New(attempts: 3));
        Assert.Equal(FinishOutcome.Ended, await FailAsync(claim, retryable: false));
        Assert.Equal((JobState.Failed, 1), ((await ReadAsync(claim.Id)).State, (await ReadAsync(claim.Id)).Attempt));
    }

    [Fact]
    public async Task Given_a_retry_that_falls_due_after_the_expiry_When_the_attempt_fails_Then_the_job_failed_with_its_error()
    {
        var claim = await RunningAsync(New() with { ExpiresIn = TimeSpan.FromSeconds(10) });
        Assert.Equal(FinishOutcome.Ended, await FailAsync(claim, backoff: TimeSpan.FromSeconds(10)));
        var job = await ReadAsync(claim.Id);
        Assert.Equal((JobState.Failed, JobErrorCodes.ModelError), (job.State, job.Error?.Code));
    }

    [Fact]
    public async Task Given_a_run_that_is_given_back_When_read_Then_the_attempt_is_not_charged()
    {
        var claim = await RunningAsync(New(attempts: 1));

        Assert.Equal(FinishOutcome.Requeued, await GiveBackAsync(claim));

        var job = await ReadAsync(claim.Id);
        Assert.Equal((JobState.Queued, 0), (job.State, job.Attempt));
        Assert.Null(job.StartedAt);
        Assert.Empty((await Store.Jobs.ReadDetailsAsync("a", claim.Id, Cancellation))!.Attempts);
        Assert.Equal([claim.Id.Value], await RefillAsync());
        Assert.Equal((1, false), (await ClaimOneAsync(job)) is var again ? (again.Attempt, again.Alone) : default);
    }

    [Fact]
    public async Task Given_a_failed_and_a_given_back_attempt_When_read_Then_it_was_started_when_its_last_charged_attempt_was()
    {
        var first = await RunningAsync(New());
        var started = (await ReadAsync(first.Id)).StartedAt;
        await FailAsync(first);
        await RefillAsync();
        await PassAsync(TimeSpan.FromSeconds(5));
        await GiveBackAsync(await ClaimOneAsync(await ReadAsync(first.Id)));

        var job = await ReadAsync(first.Id);
        Assert.Equal(1, job.Attempt);
        Assert.Equal(started, job.StartedAt);
    }

    [Fact]
    public async Task Given_a_canceled_run_When_it_ends_Then_nothing_is_written_and_its_lease_is_refused()
    {
        var claim = await RunningAsync(New());

        var outcome = (await CancelAsync(claim.Id))!;

        Assert.Equal((JobState.Canceled, true, true), (outcome.Job.State, outcome.Changed, outcome.WasRunning));
        Assert.Equal(JobErrorCodes.CanceledByClient, outcome.Job.Error?.Code);
        Assert.Equal([claim.Id], await Store.Claims.RenewAsync([(claim.Id, claim.Fence)], Lease, Cancellation));
        var before = await ReadAsync(claim.Id);
        Assert.Equal(FinishOutcome.Dropped, await SucceedAsync(claim, 1));
        Assert.Equal(FinishOutcome.Dropped, await FailAsync(claim));
        Assert.Equal(FinishOutcome.Dropped, await GiveBackAsync(claim));
        Assert.Equivalent(before, await ReadAsync(claim.Id), strict: true);
        Assert.Null(await ReadResultAsync(claim.Id));
        Assert.Equal((false, false), (await CancelAsync(claim.Id)) is { } again ? (again.Changed, again.WasRunning) : default);
    }

    [Fact]
    public async Task Given_a_second_claim_When_the_first_ends_late_Then_only_the_second_counts()
    {
        var first = await RunningAsync(New());
        await PassAsync(Lease + TimeSpan.FromSeconds(1));
        await TakeBackAsync();
        Assert.Equal(FinishOutcome.Dropped, await SucceedAsync(first, 1));
        await RefillAsync();
        var second = await ClaimOneAsync(await ReadAsync(first.Id));

        var late = new AttemptEnd.Succeeded(first.Id, first.Fence, new byte[] { 1 });
        var own = new AttemptEnd.Succeeded(second.Id, second.Fence, new byte[] { 2 });
        Assert.Equal([FinishOutcome.Dropped, FinishOutcome.Ended], await Store.Claims.FinishAsync([late, own], Cancellation));
        Assert.Equal([2], (await ReadResultAsync(first.Id))!.Value.ToArray());
        Assert.Equal(FinishOutcome.Dropped, await SucceedAsync(second, 3));
    }

    [Fact]
    public async Task Given_a_job_When_deleted_Then_only_after_its_end_and_with_its_result()
    {
        var claim = await RunningAsync(New());
        Assert.Equal(DeleteOutcome.NotFinal, await Store.Jobs.DeleteAsync("a", claim.Id, Cancellation));
        await SucceedAsync(claim, 1);
        Assert.Equal(DeleteOutcome.Deleted, await Store.Jobs.DeleteAsync("a", claim.Id, Cancellation));
        Assert.Null(await Store.Jobs.ReadAsync("a", claim.Id, Cancellation));
        Assert.Null(await ReadResultAsync(claim.Id));
        Assert.Null(await Store.Jobs.DeleteAsync("a", claim.Id, Cancellation));
    }
}
