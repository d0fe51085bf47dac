using Millrace.Storage.Jobs;

namespace Millrace.Storage.Tests;

/// <summary>Lists, positions and depths.</summary>
public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task Given_jobs_When_paged_Then_each_comes_once_in_order_though_newer_ones_arrive()
    {
        var ids = new List<JobId>();
        for (var at = 0; at < 25; at++)
            ids.Add((await AddAsync(New())).Id);
        await AddAsync(New("b"));
        ids.Reverse();

        var seen = new List<JobId>();
        (DateTimeOffset, JobId)? after = null;
        while (true)
        {
            var page = await Store.Jobs.ListAsync(new JobFilter { Tenant = "a", Limit = 10, After = after }, Cancellation);
            seen.AddRange(page.Take(10).Select(j => j.Id));
            if (page.Count <= 10)
                break;
            after = (page[9].CreatedAt, page[9].Id);
            await AddAsync(New());
        }

        Assert.Equal(ids, seen);
    }

    [Fact]
    public async Task Given_jobs_of_one_moment_When_paged_Then_each_comes_once()
    {
        var added = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Store.Jobs.AddAsync(New(), Cancellation)));
        var seen = new List<JobId>();
        (DateTimeOffset, JobId)? after = null;
        for (var page = 0; page < 20; page++)
        {
            var job = (await Store.Jobs.ListAsync(new JobFilter { Tenant = "a", Limit = 1, After = after, Ascending = true }, Cancellation))[0];
            seen.Add(job.Id);
            after = (job.CreatedAt, job.Id);
        }
        Assert.Equal(added.Cast<AddOutcome.Added>().Select(a => a.Job.Id).Order(ById), seen.Order(ById));
    }

    [Fact]
    public async Task Given_jobs_that_differ_When_filtered_Then_exactly_those_that_meet_all_come()
    {
        var plain = await AddAsync(New());
        var tagged = await AddAsync(New(priority: 2) with { Metadata = new Dictionary<string, string> { ["k"] = "v", ["l"] = "w" } });
        var other = await AddAsync(New(model: "other") with { Metadata = new Dictionary<string, string> { ["k"] = "V" } });
        await CancelAsync(plain.Id);

        async Task<JobId[]> ListAsync(Func<JobFilter, JobFilter> filter) =>
            (await Store.Jobs.ListAsync(filter(new JobFilter { Tenant = "a", Limit = 10, Ascending = true }), Cancellation))
            .Select(j => j.Id).ToArray();

        Assert.Equal([plain.Id, tagged.Id, other.Id], await ListAsync(f => f));
        Assert.Equal([plain.Id], await ListAsync(f => f with { States = [JobState.Canceled] }));
        Assert.Equal([plain.Id, tagged.Id, other.Id], await ListAsync(f => f with { States = [JobState.Canceled, JobState.Queued] }));
        Assert.Equal([other.Id], await ListAsync(f => f with { Model = "other" }));
        Assert.Equal([tagged.Id], await ListAsync(f => f with { Priority = 2 }));
        Assert.Equal([tagged.Id, other.Id], await ListAsync(f => f with { CreatedAfter = plain.CreatedAt }));
        Assert.Equal([plain.Id, tagged.Id], await ListAsync(f => f with { CreatedBefore = other.CreatedAt }));
        Assert.Equal([tagged.Id], await ListAsync(f => f with { Metadata = new Dictionary<string, string> { ["k"] = "v" } }));
        Assert.Equal([tagged.Id], await ListAsync(f => f with { Metadata = new Dictionary<string, string> { ["k"] = "v", ["l"] = "w" } }));
        Assert.Empty(await ListAsync(f => f with { Metadata = new Dictionary<string, string> { ["k"] = "v", ["l"] = "v" } }));
        Assert.Empty(await ListAsync(f => f with { Model = "other", Priority = 2 }));
        Assert.Empty(await ListAsync(f => f with { ReplayOf = plain.Id }));
    }

    [Fact]
    public async Task Given_queued_jobs_When_read_Then_their_positions_count_what_starts_earlier()
    {
        var late = await AddAsync(New(priority: 9));
        var old = await AddAsync(New());
        var young = await AddAsync(New());
        async Task<int?> PositionAsync(Job job) => (await Store.Jobs.ReadDetailsAsync("a", job.Id, Cancellation))!.QueuePosition;

        Assert.Equal([2, 0, 1], new[] { await PositionAsync(late), await PositionAsync(old), await PositionAsync(young) });
        await ClaimAsync(old);
        Assert.Equal([1, null, 0], new[] { await PositionAsync(late), await PositionAsync(old), await PositionAsync(young) });
    }

    [Fact]
    public async Task Given_jobs_of_two_models_When_depths_are_read_Then_they_count_queued_and_running_only()
    {
        await ReopenAsync(window: 2);
        var first = await AddAsync(New(priority: 1));
        var oldest = await AddAsync(New());
        await AddAsync(New("b"));
        await AddAsync(New() with { NotBefore = Time.GetUtcNow().AddHours(1) });
        await AddAsync(New(model: "other"));
        await ClaimOneAsync(first);
        await CancelAsync((await AddAsync(New())).Id);

        var depths = await Store.Jobs.ReadQueuesAsync(null, Cancellation);

        Assert.Equal([(Model, "a", 2L, 1L), (Model, "b", 1, 0), ("other", "a", 1, 0)], depths.Select(d => (d.Model, d.Tenant, d.Queued, d.Running)));
        Assert.Equal(oldest.CreatedAt, depths[0].Oldest);
        Assert.Equal(depths[2], Assert.Single(await Store.Jobs.ReadQueuesAsync("other", Cancellation)));
        Assert.Empty(await Store.Jobs.ReadQueuesAsync("none", Cancellation));
    }
}
