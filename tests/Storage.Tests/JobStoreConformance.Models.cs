using Millrace.Storage.Audit;
using Millrace.Storage.Models;

namespace Millrace.Storage.Tests;

/// <summary>What is wanted of models, what workers count, and what is out of the traffic.</summary>
public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task Given_wishes_When_read_Then_each_model_has_its_last_one_and_each_is_audited()
    {
        Assert.Empty(await Store.Models.ReadWishesAsync(Cancellation));
        var first = await WishAsync("m", loaded: false);
        var second = await WishAsync("n", loaded: true);
        await PassAsync(TimeSpan.FromMilliseconds(1));
        var third = await WishAsync("m", loaded: true);

        Assert.True(0 < first && first < second && second < third, $"{first}, {second}, {third}");
        Assert.Equal([new ModelWish("n", true, second), new ModelWish("m", true, third)], await Store.Models.ReadWishesAsync(Cancellation));
        var records = await Store.Audit.ListAsync(null, 10, Cancellation);
        Assert.Equal(3, records.Count);
        Assert.Equal(Entry("model.load", "m"), records[0].Entry);
    }

    [Fact]
    public async Task Given_many_at_once_When_they_wish_Then_no_two_have_one_revision_and_the_largest_is_kept()
    {
        var revisions = await Task.WhenAll(Enumerable.Range(0, 40).Select(at => Task.Run(() => WishAsync("m", loaded: at % 2 == 0))));

        Assert.Equal(40, revisions.Distinct().Count());
        Assert.Equal(revisions.Max(), Assert.Single(await Store.Models.ReadWishesAsync(Cancellation)).Revision);
        Assert.Equal(40, (await Store.Audit.ListAsync(null, 50, Cancellation)).Count);
        Assert.True(await WishAsync("n", loaded: true) > revisions.Max());
    }

    [Fact]
    public async Task Given_counts_of_two_workers_When_read_Then_they_are_added_up_and_a_new_report_replaces_the_old()
    {
        await Store.Models.ReportAsync("w1", [Counted("m", "1", 99)], Cancellation);
        await Store.Models.ReportAsync("w1", [Counted("m", "10", 1), Counted("m", "2", 3)], Cancellation);
        await Store.Models.ReportAsync("w2", [Counted("m", "2", 4, batch: 8), Counted("a", "1", 5)], Cancellation);

        var sums = await Store.Models.ReadStatisticsAsync(Cancellation);

        Assert.Equal([("a", "1", 5L), ("m", "2", 7L), ("m", "10", 1L)], sums.Select(s => (s.Model, s.Version, s.InferenceCount)));
        var sum = sums[1];
        Assert.Equal((4L, 14L, 64L), (sum.LastInference, sum.ExecutionCount, sum.MemoryBytes));
        Assert.Equal((new CountAndTime(7, 700), new CountAndTime(14, 7), new CountAndTime(21, 21), new CountAndTime(28, 28), new CountAndTime(35, 35), new CountAndTime(42, 42)),
            (sum.Success, sum.Fail, sum.Queue, sum.ComputeInput, sum.ComputeInfer, sum.ComputeOutput));
        Assert.Equal([(1, new CountAndTime(3, 9)), (8, new CountAndTime(4, 12))], sum.Batches.Select(b => (b.BatchSize, b.ComputeInfer)));
        Assert.Equal(new CountAndTime(1, 2), Assert.Single(sums[2].Batches).ComputeInput);
    }

    [Fact]
    public async Task Given_a_worker_that_is_silent_for_thirty_days_When_read_Then_its_counts_are_gone()
    {
        await Store.Models.ReportAsync("old", [Counted("m", "1", 3)], Cancellation);
        await PassAsync(TimeSpan.FromDays(29));
        await Store.Models.ReportAsync("young", [Counted("m", "1", 4)], Cancellation);
        Assert.Equal(7, Assert.Single(await Store.Models.ReadStatisticsAsync(Cancellation)).InferenceCount);
        await PassAsync(TimeSpan.FromDays(2));
        Assert.Equal(4, Assert.Single(await Store.Models.ReadStatisticsAsync(Cancellation)).InferenceCount);
        await Store.Models.ReportAsync("young", [], Cancellation);
        Assert.Empty(await Store.Models.ReadStatisticsAsync(Cancellation));
    }

    [Fact]
    public async Task Given_a_version_that_is_held_back_When_held_again_Then_only_another_file_counts_and_a_release_ends_it()
    {
        Assert.True(await Store.Models.HoldBackAsync("m", "2", "aa", "slow", Cancellation));
        await PassAsync(TimeSpan.FromSeconds(1));
        Assert.False(await Store.Models.HoldBackAsync("m", "2", "aa", "still slow", Cancellation));
        Assert.True(await Store.Models.HoldBackAsync("m", "3", "aa", "slow", Cancellation));
        Assert.Equal([new HeldBackVersion("m", "2", "aa", "slow", Start), new HeldBackVersion("m", "3", "aa", "slow", Start.AddSeconds(1))],
            await Store.Models.ReadHeldBackAsync(Cancellation));
        await PassAsync(TimeSpan.FromSeconds(1));
        Assert.True(await Store.Models.HoldBackAsync("m", "2", "bb", "errors", Cancellation));
        Assert.Equal(new HeldBackVersion("m", "2", "bb", "errors", Start.AddSeconds(2)), (await Store.Models.ReadHeldBackAsync(Cancellation))[0]);

        Assert.True(await ReleaseAsync("m", "2"));
        Assert.Equal("3", Assert.Single(await Store.Models.ReadHeldBackAsync(Cancellation)).Version);
        await PassAsync(TimeSpan.FromMilliseconds(1));
        Assert.False(await ReleaseAsync("m", "2"));
        Assert.Equal([AuditOutcome.Refused, AuditOutcome.Done], (await Store.Audit.ListAsync(null, 10, Cancellation)).Select(r => r.Entry.Outcome));
        Assert.True(await Store.Models.HoldBackAsync("m", "2", "bb", "again", Cancellation));
    }

    [Fact]
    public async Task Given_replicas_that_judge_at_once_When_they_hold_a_version_back_Then_one_did_it()
    {
        var did = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(() => Store.Models.HoldBackAsync("m", "2", "aa", "slow", Cancellation))));
        Assert.Single(did, true);
    }

    private Task<long> WishAsync(string model, bool loaded) => Store.Models.WishAsync(model, loaded, Entry(loaded ? "model.load" : "model.unload", model), Cancellation);

    private Task<bool> ReleaseAsync(string model, string version) => Store.Models.ReleaseAsync(model, version, Entry("traffic.release", $"{model}/{version}"), Cancellation);

    private static VersionStatistics Counted(string model, string version, int count, int batch = 1) => new()
    {
        Model = model,
        Version = version,
        LastInference = count,
        InferenceCount = count,
        ExecutionCount = 2 * count,
        Success = new CountAndTime(count, 100 * count),
        Fail = new CountAndTime(2 * count, count),
        Queue = new CountAndTime(3 * count, 3 * count),
        ComputeInput = new CountAndTime(4 * count, 4 * count),
        ComputeInfer = new CountAndTime(5 * count, 5 * count),
        ComputeOutput = new CountAndTime(6 * count, 6 * count),
        Batches = [new BatchStatistics(batch, new CountAndTime(count, 2 * count), new CountAndTime(count, 3 * count), new CountAndTime(count, 4 * count))],
        MemoryBytes = 64,
    };
}
