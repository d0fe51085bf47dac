using Millrace.Storage.Jobs;

namespace Millrace.Storage.Tests;

/// <summary>Tickets bring jobs: so many for each tenant, by priority, then age.</summary>
public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task Given_a_ticket_When_claimed_Then_the_job_runs_and_the_claim_says_what_a_run_needs()
    {
        var job = await AddAsync(New(priority: 2) with { Timeout = TimeSpan.FromSeconds(7), ModelVersion = "4" });
        await PassAsync(TimeSpan.FromSeconds(3));

        var claim = await ClaimOneAsync(job);

        Assert.Equal((job.Id, 1, "4", 2, false), (claim.Id, claim.Attempt, claim.ModelVersion, claim.Priority, claim.Alone));
        Assert.Equal(TimeSpan.FromSeconds(7), claim.Timeout);
        var running = await ReadAsync(job.Id);
        Assert.Equal((JobState.Running, 1, "worker"), (running.State, running.Attempt, running.Worker));
        Assert.Equal(Time.GetUtcNow(), running.StartedAt);
        Assert.True(running.Version > job.Version);
    }

    [Fact]
    public async Task Given_fewer_tickets_than_jobs_When_claimed_Then_priority_goes_first_and_age_within_it()
    {
        var late = await AddAsync(New(priority: 9));
        var old = await AddAsync(New(priority: 5));
        var young = await AddAsync(New(priority: 5));
        var first = await AddAsync(New(priority: 1));

        Assert.Equal([first.Id, old.Id], (await ClaimAsync(late, young)).Select(c => c.Id));
        Assert.Equal([young.Id, late.Id], (await ClaimAsync(first, old)).Select(c => c.Id));
    }

    [Fact]
    public async Task Given_tickets_of_two_tenants_When_claimed_Then_each_gets_as_many_as_it_has_tickets()
    {
        var a = new[] { await AddAsync(New("a", priority: 1)), await AddAsync(New("a", priority: 1)), await AddAsync(New("a", priority: 1)) };
        var b = new[] { await AddAsync(New("b", priority: 9)), await AddAsync(New("b", priority: 2)) };

        var claims = await ClaimAsync(a[2], b[0], a[1]);

        Assert.Equal(new[] { a[0].Id, a[1].Id, b[1].Id }.ToHashSet(), claims.Select(c => c.Id).ToHashSet());
    }

    [Fact]
    public async Task Given_a_ticket_twice_or_of_nothing_When_claimed_Then_no_job_runs_twice()
    {
        var job = await AddAsync(New());
        Assert.Single(await ClaimAsync(job, job, job));
        Assert.Empty(await ClaimAsync(job));
        Assert.Empty(await Store.Claims.ClaimAsync(Model, [Guid.NewGuid()], "worker", Lease, Cancellation));
        Assert.Equal(1, (await ReadAsync(job.Id)).Attempt);
    }

    [Fact]
    public async Task Given_many_claims_at_once_When_done_Then_each_job_is_claimed_once()
    {
        var jobs = new List<Job>();
        for (var at = 0; at < 40; at++)
            jobs.Add(await AddAsync(New()));

        var claims = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ClaimAsync([.. jobs])));

        Assert.Equal(jobs.Select(j => j.Id).Order(ById), claims.SelectMany(c => c).Select(c => c.Id).Order(ById));
    }

    [Fact]
    public async Task Given_jobs_that_are_canceled_expired_not_due_or_anothers_model_When_claimed_Then_none_runs()
    {
        var canceled = await AddAsync(New());
        await CancelAsync(canceled.Id);
        var expired = await AddAsync(New() with { ExpiresIn = TimeSpan.FromSeconds(1) });
        var later = await AddAsync(New() with { NotBefore = Time.GetUtcNow().AddMinutes(1) });
        var other = await AddAsync(New(model: "other"));
        await PassAsync(TimeSpan.FromSeconds(1));

        Assert.Empty(await ClaimAsync(canceled, expired, later, other));
    }

    [Fact]
    public async Task Given_a_job_outside_the_window_When_its_ticket_comes_Then_it_is_not_claimed()
    {
        await ReopenAsync(window: 1);
        var inside = await AddAsync(New());
        var outside = await AddAsync(New(priority: 1));
        Assert.Equal(inside.Id, Assert.Single(await ClaimAsync(inside, outside)).Id);
        Assert.Empty(await ClaimAsync(outside));
    }

    private static readonly Comparer<JobId> ById = Comparer<JobId>.Create((a, b) => a.Value.CompareTo(b.Value));
}
