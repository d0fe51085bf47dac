using Millrace.Storage.Announcements;

namespace Millrace.Storage.Tests;

/// <summary>What processes tell each other through the store: models, and keys that all share.</summary>
public abstract partial class JobStoreConformance
{
    private static readonly TimeSpan Alive = TimeSpan.FromSeconds(15);

    private static AnnouncedModel Announced(string name, string version = "1") => new()
    {
        Name = name,
        Version = version,
        State = ModelState.Ready,
        Hash = "ab",
        Inputs = [new AnnouncedTensor("IN", "FP32", [-1, 4])],
        Outputs = [new AnnouncedTensor("OUT", "FP32", [-1])],
        Instances = 2,
        MaxBatchSize = 8,
    };

    private async Task<(int Live, string Names)> KnownAsync()
    {
        var known = await Store.Announcements.ReadAsync(Alive, Cancellation);
        return (known.LiveWorkers, string.Join(' ', known.Models.Select(m => $"{m.Name}/{m.Version}").Order()));
    }

    [Fact]
    public async Task Given_two_workers_When_they_announce_Then_all_their_models_are_known_as_they_said()
    {
        await Store.Announcements.AnnounceAsync("w1", [Announced("x"), Announced("x", "2")], Cancellation);
        await Store.Announcements.AnnounceAsync("w2", [Announced("y")], Cancellation);
        Assert.Equal((2, "x/1 x/2 y/1"), await KnownAsync());
        await Store.Announcements.AnnounceAsync("w1", [Announced("z")], Cancellation);
        Assert.Equal((2, "y/1 z/1"), await KnownAsync());
        var model = (await Store.Announcements.ReadAsync(Alive, Cancellation)).Models.Single(m => m.Name == "z");
        Assert.Equivalent(Announced("z"), model, strict: true);
    }

    [Fact]
    public async Task Given_workers_that_fall_silent_or_leave_When_read_Then_each_of_their_models_is_remembered_as_the_last_one_had_it()
    {
        await Store.Announcements.AnnounceAsync("w1", [Announced("x"), Announced("y", "1")], Cancellation);
        await Store.Announcements.AnnounceAsync("w2", [Announced("y", "2")], Cancellation);
        await PassAsync(TimeSpan.FromSeconds(10));
        await Store.Announcements.BeatAsync("w2", Cancellation);
        await PassAsync(TimeSpan.FromSeconds(10));
        Assert.Equal((1, "x/1 y/2"), await KnownAsync()); // x has no live worker: it may have been scaled to zero
        Assert.Equal("x", Assert.Single((await Store.Announcements.ReadAsync(Alive, Cancellation)).Models, m => m.IsRemembered).Name);
        await Store.Announcements.LeaveAsync("w2", Cancellation);
        Assert.Equal((0, "x/1 y/2"), await KnownAsync());
        await Store.Announcements.BeatAsync("w1", Cancellation);
        Assert.Equal((1, "x/1 y/1"), await KnownAsync());
    }

    [Fact]
    public async Task Given_a_model_that_had_no_worker_for_weeks_When_another_announces_Then_it_is_known_for_a_month_and_not_longer()
    {
        await Store.Announcements.AnnounceAsync("w1", [Announced("x")], Cancellation);
        await PassAsync(TimeSpan.FromDays(29));
        await Store.Announcements.AnnounceAsync("w2", [Announced("y")], Cancellation);
        Assert.Equal((1, "x/1 y/1"), await KnownAsync());
        await PassAsync(TimeSpan.FromDays(2));
        await Store.Announcements.AnnounceAsync("w2", [Announced("y")], Cancellation);
        Assert.Equal((1, "y/1"), await KnownAsync());
    }

    [Fact]
    public async Task Given_a_secret_When_asked_for_by_many_and_again_after_opening_Then_it_is_one_of_32_bytes_for_each_name()
    {
        var all = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Store.Secrets.ReadOrCreateAsync("one", Cancellation)));
        var other = await Store.Secrets.ReadOrCreateAsync("two", Cancellation);
        await ReopenAsync();
        var again = await Store.Secrets.ReadOrCreateAsync("one", Cancellation);

        Assert.Equal(32, again.Length);
        Assert.All(all, s => Assert.Equal(again.ToArray(), s.ToArray()));
        Assert.NotEqual(again.ToArray(), other.ToArray());
    }
}
