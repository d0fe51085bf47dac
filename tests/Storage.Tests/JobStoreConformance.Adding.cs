using Millrace.Storage.Jobs;

namespace Millrace.Storage.Tests;

/// <summary>Accepting a job, with and without a key, and reading it back.</summary>
public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task Given_a_submission_When_added_Then_every_member_can_be_read_back()
    {
        var added = await AddedAsync(New() with
        {
            Priority = 2,
            NotBefore = Time.GetUtcNow().AddMinutes(5),
            Metadata = new Dictionary<string, string> { ["k"] = "v", ["ключ"] = "\"quoted\" ✓" },
            TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        });

        var job = await ReadAsync(added.Job.Id);
        Assert.Equivalent(added.Job, job, strict: true);
        Assert.Equal((JobState.Queued, 1L, 0, 3, 2), (job.State, job.Version, job.Attempt, job.MaxAttempts, job.Priority));
        Assert.Equal(("a", Model, "1"), (job.Tenant, job.Model, job.ModelVersion));
        Assert.Equal(Time.GetUtcNow(), job.CreatedAt);
        Assert.Equal(job.CreatedAt.AddHours(6), job.ExpiresAt);
        Assert.Equal(job.CreatedAt.AddMinutes(5).AddMilliseconds(-1), job.NotBefore);
        Assert.Equal(TimeSpan.FromSeconds(60), job.Timeout);
        Assert.Equal("v", job.Metadata["k"]);
        Assert.Equal("\"quoted\" ✓", job.Metadata["ключ"]);
        Assert.Equal("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", job.TraceParent);
        Assert.Null(job.StartedAt ?? job.FinishedAt ?? job.ResultExpiresAt ?? job.DispatchedAt);
        Assert.Null(job.Error);
    }

    [Fact]
    public async Task Given_a_job_with_input_When_claimed_Then_the_input_comes_byte_for_byte()
    {
        var input = Enumerable.Range(0, 100_000).Select(i => (byte)i).ToArray();
        var claim = await RunningAsync(New() with { Input = input });
        Assert.Equal(input, claim.Input.ToArray());
    }

    [Fact]
    public async Task Given_another_tenants_job_When_asked_for_Then_it_is_as_unknown_as_none()
    {
        var claim = await RunningAsync(New());
        await SucceedAsync(claim, 7);

        Assert.Null(await Store.Jobs.ReadAsync("b", claim.Id, Cancellation));
        Assert.Null(await Store.Jobs.ReadDetailsAsync("b", claim.Id, Cancellation));
        Assert.Null(await Store.Jobs.ReadResultAsync("b", claim.Id, Cancellation));
        Assert.Null(await CancelAsync(claim.Id, "b"));
        Assert.Null(await Store.Jobs.DeleteAsync("b", claim.Id, Cancellation));
        Assert.NotNull(await ReadResultAsync(claim.Id));
    }

    [Fact]
    public async Task Given_a_key_When_the_same_body_comes_again_Then_it_is_the_same_job_in_its_present_state()
    {
        var first = await AddAsync(New() with { Key = Key("k") });
        await CancelAsync(first.Id);
        var again = Assert.IsType<AddOutcome.Replayed>(await Store.Jobs.AddAsync(New() with { Key = Key("k") }, Cancellation));
        Assert.Equal((first.Id, JobState.Canceled), (again.Job.Id, again.Job.State));
        Assert.Single(await Store.Jobs.ListAsync(new JobFilter { Tenant = "a", Limit = 10 }, Cancellation));
    }

    [Fact]
    public async Task Given_a_key_When_another_body_tenant_scope_or_key_comes_Then_only_the_body_is_refused()
    {
        var first = await AddAsync(New() with { Key = Key("k") });
        Assert.IsType<AddOutcome.KeyReused>(await Store.Jobs.AddAsync(New() with { Key = Key("k", body: 2) }, Cancellation));
        Assert.NotEqual(first.Id, (await AddAsync(New("b") with { Key = Key("k", body: 2) })).Id);
        Assert.NotEqual(first.Id, (await AddAsync(New() with { Key = Key("k", body: 2) with { Scope = "POST /v2" } })).Id);
        Assert.NotEqual(first.Id, (await AddAsync(New() with { Key = Key("l", body: 2) })).Id);
    }

    [Fact]
    public async Task Given_a_key_whose_job_is_deleted_When_it_comes_again_Then_it_is_gone_and_nothing_is_made()
    {
        var first = await AddAsync(New() with { Key = Key("k") });
        await CancelAsync(first.Id);
        Assert.Equal(DeleteOutcome.Deleted, await Store.Jobs.DeleteAsync("a", first.Id, Cancellation));
        Assert.IsType<AddOutcome.Gone>(await Store.Jobs.AddAsync(New() with { Key = Key("k") }, Cancellation));
        Assert.Empty(await Store.Jobs.ListAsync(new JobFilter { Tenant = "a", Limit = 10 }, Cancellation));
    }

    [Fact]
    public async Task Given_fifty_at_once_with_one_key_When_added_Then_there_is_one_job()
    {
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Store.Jobs.AddAsync(New() with { Key = Key("k") }, Cancellation)));
        var added = Assert.Single(outcomes.OfType<AddOutcome.Added>());
        Assert.All(outcomes.OfType<AddOutcome.Replayed>(), o => Assert.Equal(added.Job.Id, o.Job.Id));
        Assert.Equal(49, outcomes.OfType<AddOutcome.Replayed>().Count());
    }

    [Fact]
    public async Task Given_a_write_that_fails_amid_many_When_all_are_done_Then_only_that_one_failed()
    {
        var good = Enumerable.Range(0, 100).Select(_ => Store.Jobs.AddAsync(New(), Cancellation)).ToList();
        var bad = Store.Jobs.AddAsync(New() with { ModelVersion = null! }, Cancellation);
        good.AddRange(Enumerable.Range(0, 100).Select(_ => Store.Jobs.AddAsync(New(), Cancellation)));

        var outcomes = await Task.WhenAll(good);

        await Assert.ThrowsAnyAsync<Exception>(() => bad);
        Assert.Equal(200, outcomes.OfType<AddOutcome.Added>().Select(o => o.Job.Id).Distinct().Count());
        Assert.Equal(200, (await Store.Jobs.ListAsync(new JobFilter { Tenant = "a", Limit = 500 }, Cancellation)).Count);
    }

    [Fact]
    public async Task Given_jobs_and_results_When_the_store_is_opened_again_Then_all_is_there()
    {
        var claim = await RunningAsync(New());
        await SucceedAsync(claim, 4, 5, 6);
        var waiting = await AddAsync(New() with { Key = Key("k") });
        var before = await ReadAsync(claim.Id);

        await ReopenAsync();

        Assert.Equivalent(before, await ReadAsync(claim.Id), strict: true);
        Assert.Equal([4, 5, 6], (await ReadResultAsync(claim.Id))!.Value.ToArray());
        Assert.Equal(waiting.Id, Assert.IsType<AddOutcome.Replayed>(await Store.Jobs.AddAsync(New() with { Key = Key("k") }, Cancellation)).Job.Id);
        Assert.Equal([1, 2, 3], (await ClaimOneAsync(waiting)).Input.ToArray());
    }
}
