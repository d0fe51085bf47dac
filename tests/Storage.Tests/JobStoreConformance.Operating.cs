using Millrace.Storage.DeadLetters;
using Millrace.Storage.Jobs;

namespace Millrace.Storage.Tests;

/// <summary>What an operator does with a queue.</summary>
public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task Given_a_paused_model_When_jobs_come_Then_they_are_accepted_and_none_starts_until_it_is_resumed()
    {
        await ReopenAsync(window: 2);
        var first = await AddAsync(New());
        await Store.Queues.SetPausedAsync(Model, true, Entry(), Cancellation);
        await Store.Queues.SetPausedAsync(Model, true, Entry(), Cancellation);
        var second = await AddAsync(New());
        var third = await AddAsync(New());
        var other = await AddAsync(New(model: "other"));

        Assert.Equal([Model], await Store.Queues.ReadPausedAsync(Cancellation));
        Assert.Empty(await ClaimAsync(first, second));
        Assert.Equal(other.Id, (await ClaimOneAsync(other)).Id);
        Assert.Empty(await RefillAsync());
        Assert.Empty(await Store.Dispatch.CountDispatchedAsync(TimeSpan.Zero, Cancellation));

        await Store.Queues.SetPausedAsync(Model, false, Entry(), Cancellation);
        Assert.Empty(await Store.Queues.ReadPausedAsync(Cancellation));
        Assert.Equal(2, (await Store.Dispatch.CountDispatchedAsync(TimeSpan.Zero, Cancellation))[Model]);
        Assert.Equal([first.Id, second.Id], (await ClaimAsync(first, second)).Select(c => c.Id));
        Assert.Equal([third.Id.Value], await RefillAsync());
    }

    [Fact]
    public async Task Given_queued_and_running_jobs_When_purged_Then_all_tenants_queued_ones_of_before_are_canceled_by_the_operator()
    {
        var running = await RunningAsync(New());
        var first = await AddAsync(New());
        var second = await AddAsync(New("b"));
        var other = await AddAsync(New(model: "other"));
        await PassAsync(TimeSpan.FromSeconds(1));
        var before = Time.GetUtcNow();
        var late = await AddAsync(New());
        Assert.Equal(3, await Store.Queues.CountQueuedAsync(Model, Cancellation));

        Assert.Equal([first.Id], await Store.Queues.CancelQueuedAsync(Model, before, 1, null, Cancellation));
        Assert.Equal([second.Id], await Store.Queues.CancelQueuedAsync(Model, before, 10, null, Cancellation));
        Assert.Empty(await Store.Queues.CancelQueuedAsync(Model, before, 10, null, Cancellation));

        var canceled = await ReadAsync(first.Id);
        Assert.Equal((JobState.Canceled, JobErrorCodes.CanceledByOperator, before.AddMilliseconds(1)), (canceled.State, canceled.Error?.Code, canceled.FinishedAt));
        Assert.NotNull(canceled.ResultExpiresAt);
        Assert.Equal(late.Id, Assert.Single(await ClaimAsync(first, second, late)).Id);
        Assert.Equal(JobState.Queued, (await ReadAsync(other.Id)).State);
        Assert.Equal(FinishOutcome.Ended, await SucceedAsync(running, 1));
    }

    [Fact]
    public async Task Given_a_message_that_was_set_aside_twice_When_listed_Then_it_is_there_once_and_the_newest_is_first()
    {
        var old = new DeadLetter(Guid.NewGuid(), default, "jobs.m", "rejected", Guid.NewGuid(), 5, new byte[] { 1, 2 });
        var young = new DeadLetter(Guid.NewGuid(), default, "infer.m", "It ends too early.", null, 0, Array.Empty<byte>());
        await Store.DeadLetters.AddAsync(old, Cancellation);
        await PassAsync(TimeSpan.FromSeconds(1));
        await Store.DeadLetters.AddAsync(young, Cancellation);
        await Store.DeadLetters.AddAsync(old with { Reason = "again" }, Cancellation);

        var letters = await Store.DeadLetters.ListAsync(10, Cancellation);

        Assert.Equal([young.Id, old.Id], letters.Select(l => l.Id));
        Assert.Equal((old.JobId, "rejected", 5L, Time.GetUtcNow().AddSeconds(-1)), (letters[1].JobId, letters[1].Reason, letters[1].Bytes, letters[1].At));
        Assert.Equal([1, 2], letters[1].Body.ToArray());
        Assert.Single(await Store.DeadLetters.ListAsync(1, Cancellation));
        await PassAsync(TimeSpan.FromDays(31));
        await PurgeAsync(TimeSpan.FromDays(1));
        Assert.Empty(await Store.DeadLetters.ListAsync(10, Cancellation));
    }
}
