using Millrace.Storage.Jobs;

namespace Millrace.Storage.Tests;

/// <summary>The window: what has a ticket in the broker, and what may follow.</summary>
public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task Given_a_window_of_two_When_three_are_added_Then_two_are_marked_and_each_model_has_its_own()
    {
        await ReopenAsync(window: 2);
        var added = new[] { await AddedAsync(New()), await AddedAsync(New()), await AddedAsync(New()) };
        Assert.Equal([true, true, false], added.Select(a => a.Dispatched));
        Assert.True((await AddedAsync(New(model: "other"))).Dispatched);
        Assert.Empty(await RefillAsync());
    }

    [Fact]
    public async Task Given_a_burst_When_added_at_once_Then_no_more_than_the_window_are_marked()
    {
        await ReopenAsync(window: 10);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => Store.Jobs.AddAsync(New(), Cancellation)));
        Assert.Equal(10, outcomes.OfType<AddOutcome.Added>().Count(a => a.Dispatched));
    }

    [Fact]
    public async Task Given_one_that_waits_When_room_comes_Then_no_newcomer_overtakes_it()
    {
        await ReopenAsync(window: 1);
        var first = await AddAsync(New());
        var waiting = await AddedAsync(New());
        await ClaimOneAsync(first);

        Assert.False((await AddedAsync(New())).Dispatched);
        Assert.Equal([waiting.Job.Id.Value], await RefillAsync());
        Assert.NotNull((await ReadAsync(waiting.Job.Id)).DispatchedAt);
    }

    [Fact]
    public async Task Given_two_tenants_When_refilled_Then_they_take_turns_and_then_priority_and_age_count()
    {
        await ReopenAsync(window: 1);
        var inside = await AddAsync(New());
        var old = await AddAsync(New("a", priority: 5));
        await AddAsync(New("a", priority: 5));
        var urgent = await AddAsync(New("a", priority: 1));
        var modest = await AddAsync(New("b", priority: 9));
        await ReopenAsync(window: 4);

        var tickets = await RefillAsync();

        Assert.Equal(new[] { urgent.Id.Value, modest.Id.Value, old.Id.Value }.ToHashSet(), tickets.ToHashSet());
        Assert.Equal(4, (await Store.Dispatch.CountDispatchedAsync(TimeSpan.Zero, Cancellation))[Model]);
        await CancelAsync(inside.Id);
        Assert.Single(await RefillAsync());
        Assert.Empty(await RefillAsync());
    }

    [Fact]
    public async Task Given_a_refill_of_at_most_one_When_two_wait_Then_the_urgent_one_comes_first()
    {
        await ReopenAsync(window: 1);
        await AddAsync(New());
        var old = await AddAsync(New());
        var urgent = await AddAsync(New(priority: 1));
        await ReopenAsync(window: 10);
        Assert.Equal([urgent.Id.Value], await RefillAsync(atMost: 1));
        Assert.Equal([old.Id.Value], await RefillAsync(atMost: 1));
    }

    [Fact]
    public async Task Given_a_job_for_later_When_its_time_comes_Then_it_is_marked_and_until_then_nobody_waits_behind_it()
    {
        await ReopenAsync(window: 2);
        var later = await AddedAsync(New() with { NotBefore = Time.GetUtcNow().AddSeconds(10) });
        Assert.False(later.Dispatched);
        Assert.True((await AddedAsync(New())).Dispatched);
        await PassAsync(TimeSpan.FromSeconds(9));
        Assert.Empty(await RefillAsync());
        await PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal([later.Job.Id.Value], await RefillAsync());
        Assert.Contains(await ClaimAsync(later.Job, later.Job), c => c.Id == later.Job.Id);
    }

    [Fact]
    public async Task Given_marked_jobs_When_counted_Then_only_those_that_wait_since_then_and_the_oldest_first()
    {
        var first = await AddAsync(New());
        var claimed = await AddAsync(New(priority: 1));
        var second = await AddAsync(New());
        await ClaimOneAsync(claimed);
        var then = Time.GetUtcNow();
        await AddAsync(New());

        Assert.Equal(2, (await Store.Dispatch.CountDispatchedAsync(Time.GetUtcNow() - then, Cancellation))[Model]);
        Assert.Equal([first.Id.Value, second.Id.Value], (await Store.Dispatch.OldestDispatchedAsync(Model, 2, Cancellation)).Select(t => t.JobId));
        Assert.Empty(await Store.Dispatch.OldestDispatchedAsync("other", 2, Cancellation));
    }

    [Fact]
    public async Task Given_a_window_of_two_When_all_is_worked_off_Then_every_job_ran_and_urgent_ones_first()
    {
        await ReopenAsync(window: 2);
        var jobs = new List<Job>();
        foreach (var priority in new[] { 5, 5, 9, 1, 9, 1, 5 })
            jobs.Add(await AddAsync(New(priority: priority)));
        var order = new List<int>();
        do
        {
            while (await ClaimAsync(jobs[0]) is [var claim])
            {
                order.Add(claim.Priority);
                await SucceedAsync(claim, 1);
            }
        } while ((await RefillAsync()).Count > 0);
        Assert.Equal([5, 5, 1, 1, 5, 9, 9], order);
    }
}
