using Millrace.Storage.Access;
using Millrace.Storage.Audit;
using Millrace.Storage.Replays;

namespace Millrace.Storage.Tests;

/// <summary>Keys, quotas, and the record of who did what.</summary>
public abstract partial class JobStoreConformance
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Given_a_new_key_When_read_Then_it_is_as_it_was_made_and_its_making_is_audited()
    {
        var made = await MakeKeyAsync("k1", Roles.Submit | Roles.Read, requests: 7, expiresIn: TimeSpan.FromDays(1));

        var read = Assert.Single(await Store.Keys.ReadChangedAsync(0, Cancellation));
        Assert.Equal(made with { Hash = default }, read with { Hash = default });
        Assert.Equal([1, 2, 3], read.Hash.ToArray());
        Assert.Equal(("k1", "t", Roles.Submit | Roles.Read, 7, Time.GetUtcNow().AddDays(1)), (read.Id, read.Tenant, read.Roles, read.Requests, read.ExpiresAt));
        var record = Assert.Single(await Store.Audit.ListAsync(null, 10, Cancellation));
        Assert.Equal((Entry("key.create", "k1"), Time.GetUtcNow()), (record.Entry, record.At));
    }

    [Fact]
    public async Task Given_changes_of_keys_When_read_from_a_revision_Then_later_ones_come_in_their_order()
    {
        var first = await MakeKeyAsync("k1", Roles.Admin);
        await MakeKeyAsync("k2", Roles.Admin);
        Assert.Equal(RevokeOutcome.Revoked, await RevokeAsync("k1"));

        Assert.Equal(["k2", "k1"], (await Store.Keys.ReadChangedAsync(first.Revision, Cancellation)).Select(k => k.Id));
        Assert.Equal([false, true], (await Store.Keys.ReadChangedAsync(0, Cancellation)).Select(k => k.RevokedAt is not null));
    }

    [Fact]
    public async Task Given_admin_keys_When_all_are_revoked_Then_the_last_valid_one_stays_and_every_try_is_audited()
    {
        await MakeKeyAsync("k1", Roles.Admin);
        await MakeKeyAsync("k2", Roles.Admin | Roles.Read);
        await MakeKeyAsync("k3", Roles.Admin, expiresIn: TimeSpan.FromSeconds(5));
        await MakeKeyAsync("k4", Roles.Operate);
        await PassAsync(TimeSpan.FromSeconds(6));

        Assert.Equal(RevokeOutcome.Unknown, await RevokeNextAsync("nobody"));
        Assert.Equal(RevokeOutcome.Revoked, await RevokeNextAsync("k1"));
        Assert.Equal(RevokeOutcome.Revoked, await RevokeNextAsync("k1"));
        Assert.Equal(RevokeOutcome.LastAdmin, await RevokeNextAsync("k2"));
        Assert.Equal(RevokeOutcome.Revoked, await RevokeNextAsync("k3"));
        Assert.Equal(RevokeOutcome.Revoked, await RevokeNextAsync("k4"));

        Assert.False((await Store.Keys.ReadChangedAsync(0, Cancellation)).Single(k => k.Id == "k2").RevokedAt is not null);
        var outcomes = (await Store.Audit.ListAsync(null, 10, Cancellation)).Where(r => r.Entry.Action == "key.revoke").Select(r => (r.Entry.Target, r.Entry.Outcome)).Reverse();
        Assert.Equal([("nobody", AuditOutcome.Refused), ("k1", AuditOutcome.Done), ("k1", AuditOutcome.Done), ("k2", AuditOutcome.Refused), ("k3", AuditOutcome.Done), ("k4", AuditOutcome.Done)], outcomes);
    }

    [Fact]
    public async Task Given_two_admins_When_each_revokes_the_other_at_once_Then_one_stays()
    {
        for (var round = 0; round < 10; round++)
        {
            var left = $"l{round}";
            var right = $"r{round}";
            await MakeKeyAsync(left, Roles.Admin);
            await MakeKeyAsync(right, Roles.Admin);
            foreach (var earlier in (await Store.Keys.ReadChangedAsync(0, Cancellation)).Where(k => k.RevokedAt is null && k.Id != left && k.Id != right))
                await RevokeAsync(earlier.Id);

            var outcomes = await Task.WhenAll(RevokeAsync(left), RevokeAsync(right));

            Assert.Equal([RevokeOutcome.Revoked, RevokeOutcome.LastAdmin], outcomes.Order());
        }
    }

    [Fact]
    public async Task Given_records_When_listed_in_pages_Then_each_comes_once_the_newest_first()
    {
        for (var at = 0; at < 5; at++)
        {
            await PassAsync(TimeSpan.FromMilliseconds(1));
            await Store.Audit.AddAsync(Entry(target: $"t{at}") with { Outcome = AuditOutcome.Refused, Detail = "why", RequestId = null }, Cancellation);
        }
        var first = await Store.Audit.ListAsync(null, 2, Cancellation);
        Assert.Equal(["t4", "t3", "t2"], first.Select(r => r.Entry.Target)); // one more tells that there is a next page
        Assert.Equal((AuditOutcome.Refused, "why", null), (first[0].Entry.Outcome, first[0].Entry.Detail, first[0].Entry.RequestId));
        Assert.Equal(["t2", "t1", "t0"], (await Store.Audit.ListAsync(first[1].Id, 5, Cancellation)).Select(r => r.Entry.Target));
    }

    [Fact]
    public async Task Given_what_an_operator_does_When_done_Then_each_has_one_record_committed_with_it()
    {
        await Store.Queues.SetPausedAsync(Model, true, Entry("queue.pause"), Cancellation);
        await PassAsync(TimeSpan.FromMilliseconds(1));
        await Store.Queues.CancelQueuedAsync(Model, Time.GetUtcNow(), 10, Entry("queue.purge"), Cancellation);
        await PassAsync(TimeSpan.FromMilliseconds(1));
        await Store.Queues.SetPausedAsync(Model, false, Entry("queue.resume"), Cancellation);
        var source = await FailedAsync(New());
        await PassAsync(TimeSpan.FromMilliseconds(1));
        var replayed = await ReplayAsync(source, new ReplaySettings { ModelVersion = "1", Key = Key("k"), Audit = Entry("job.replay", source.ToString()) });
        await Store.Replays.ReplayAsync("a", source, new ReplaySettings { ModelVersion = "1", Key = Key("k"), Audit = Entry("job.replay", source.ToString()) }, Cancellation); // a repeat does nothing
        await PassAsync(TimeSpan.FromMilliseconds(1));
        var bulk = await BulkAsync(Bulk());
        await PassAsync(TimeSpan.FromMilliseconds(1));
        await Store.Replays.CancelBulkAsync("a", bulk.Id, Entry("replay.cancel"), Cancellation);
        await Store.Replays.CancelBulkAsync("b", bulk.Id, Entry("replay.cancel"), Cancellation); // another tenant's is not there

        var records = (await Store.Audit.ListAsync(null, 50, Cancellation)).Reverse().ToArray();
        Assert.Equal(["queue.pause", "queue.purge", "queue.resume", "job.replay", "replay.start", "replay.cancel"], records.Select(r => r.Entry.Action));
        Assert.Equal($"made {replayed.Job.Id}", records[3].Entry.Detail);
        Assert.Equal((bulk.Id.ToString("replay_"), "1 jobs"), (records[4].Entry.Target, records[4].Entry.Detail));
    }

    [Fact]
    public async Task Given_a_quota_When_leased_Then_the_sum_of_a_window_is_the_limit_and_the_next_window_is_full()
    {
        await PassAsync(TimeSpan.FromSeconds(10));
        var first = await LeaseAsync(40);
        Assert.Equal((40, 60, TimeSpan.FromSeconds(50)), (first.Granted, first.Left, first.EndsIn));
        Assert.Equal((60, 0), (await LeaseAsync(70)) is var second ? (second.Granted, second.Left) : default);
        Assert.Equal((0, 0), (await LeaseAsync(1)) is var third ? (third.Granted, third.Left) : default);
        Assert.Equal(5, (await Store.Rates.LeaseAsync("other", 5, 100, Window, Cancellation)).Granted);

        await PassAsync(TimeSpan.FromSeconds(50));

        Assert.Equal((40, 60, Window), (await LeaseAsync(40)) is var next ? (next.Granted, next.Left, next.EndsIn) : default);
    }

    [Fact]
    public async Task Given_many_at_once_When_they_lease_Then_no_more_than_the_limit_is_granted_and_all_of_it()
    {
        var leases = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => Task.Run(() => LeaseAsync(3))));
        Assert.Equal(100, leases.Sum(l => l.Granted));
    }

    [Fact]
    public async Task Given_windows_that_ended_When_purged_Then_only_the_present_one_is_left()
    {
        await LeaseAsync(100);
        await Store.Rates.PurgeAsync(Window, Cancellation);
        Assert.Equal(0, (await LeaseAsync(1)).Granted);
        await PassAsync(3 * Window);
        await Store.Rates.PurgeAsync(Window, Cancellation);
        Assert.Equal(1, (await LeaseAsync(1)).Granted);
    }

    private Task<Rates.RateLease> LeaseAsync(int wanted) => Store.Rates.LeaseAsync("subject", wanted, 100, Window, Cancellation);

    private async Task<ApiKey> MakeKeyAsync(string id, Roles roles, int? requests = null, TimeSpan? expiresIn = null)
    {
        await PassAsync(TimeSpan.FromMilliseconds(1));
        return await Store.Keys.AddAsync(new NewApiKey(id, new byte[] { 1, 2, 3 }, "name", "t", roles, requests, expiresIn), Entry("key.create", id), Cancellation);
    }

    private async Task<RevokeOutcome> RevokeNextAsync(string id)
    {
        await PassAsync(TimeSpan.FromMilliseconds(1));
        return await RevokeAsync(id);
    }

    private async Task<RevokeOutcome> RevokeAsync(string id) => await Store.Keys.RevokeAsync(id, Entry("key.revoke", id), Cancellation);
}
