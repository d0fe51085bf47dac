using Millrace.Storage.Announcements;
using Millrace.Storage.Models;
using Millrace.Worker.Batching;

namespace Millrace.Worker.Models;

/// <summary>Why a version is to go.</summary>
internal enum Departure
{
    /// <summary>Its files are gone.</summary>
    Gone,

    /// <summary><c>version_policy</c> leaves it out.</summary>
    Excluded,

    /// <summary>Somebody asked for it.</summary>
    Unloaded,
}

/// <summary>One version as this worker has it, from when it is first seen until it is gone.</summary>
internal sealed class HeldVersion(string model, string version)
{
    private string _seenFiles = "";
    private long _seenAt;
    private long? _missingSince;

    public string Model => model;
    public string Version => version;

    /// <summary>What serves it; null when nothing does.</summary>
    public Batcher? Batcher { get; private set; }
    public ModelConfig Config { get; private set; } = new();

    /// <summary>Why its files can't be loaded; an older load of it may serve all the same.</summary>
    public string? Fault { get; private set; }

    /// <summary>It is there only for jobs that were made for it.</summary>
    public bool IsForJobs { get; private set; }

    public Departure? Leaves { get; private set; }

    /// <summary>When it was announced that it leaves.</summary>
    public long? LeavingSince { get; private set; }

    /// <summary>The newest wish that was made true.</summary>
    public long Wish { get; private set; }

    /// <summary>The files have been the same for so long that they are not being written any more.</summary>
    public bool IsSettled { get; private set; }

    /// <summary>The files and settings that were last tried, whatever came of it.</summary>
    private (string Files, string Settings)? Tried { get; set; }

    /// <summary>As it was when it was last loaded, for when it is not.</summary>
    private AnnouncedModel? Known { get; set; }

    /// <param name="wellKnown">It was looked at twice before.</param>
    public void See(string files, TimeSpan settlesIn, bool wellKnown)
    {
        var now = TimeProvider.System.GetTimestamp(); // files are written by the system's clock
        _missingSince = null;
        if (_seenFiles != files)
            (_seenFiles, _seenAt) = (files, now);
        IsSettled = wellKnown || TimeProvider.System.GetElapsedTime(_seenAt, now) >= settlesIn;
    }

    /// <summary>It was not found. True when it has been gone for so long that it is not being replaced.</summary>
    public bool Miss(TimeSpan settlesIn)
    {
        _missingSince ??= TimeProvider.System.GetTimestamp();
        return TimeProvider.System.GetElapsedTime(_missingSince.Value) >= settlesIn;
    }

    public bool WasTried(FoundModel found, FoundVersion files) => Tried == (files.Files, found.Settings);

    /// <summary>The files that serve are the same, and the new settings do not concern runs.</summary>
    public bool OnlyAnnouncesAnew(FoundModel found, FoundVersion files) =>
        Batcher is not null && Fault is null && found.Fault is null && Tried?.Files == files.Files && found.Config.RunsAs(Batcher.Model.Config);

    public void Took(FoundModel found, FoundVersion files, Batcher? batcher, bool forJobs, long wish)
    {
        Note(found, files, wish);
        (Fault, Config, IsForJobs) = (null, found.Config, forJobs);
        Batcher = batcher ?? Batcher;
        Known = Batcher?.Model.Announce();
    }

    public void Failed(FoundModel found, FoundVersion files, string reason, long wish)
    {
        Note(found, files, wish);
        Fault = reason;
    }

    public void Stay() => (Leaves, LeavingSince) = (null, null);

    public void OpenForAll() => IsForJobs = false;

    public void Leave(Departure why, long wish)
    {
        Wish = Math.Max(Wish, wish);
        if (Leaves == why)
            return;
        (Leaves, LeavingSince) = (why, null);
        if (Batcher is null)
            (Tried, Fault) = (null, null);
    }

    /// <summary>It was announced, as it is now, just now.</summary>
    public void Announced(long now)
    {
        if (Leaves is not null)
            LeavingSince ??= now;
    }

    public void TakenOut() => (Batcher, Tried, Fault, IsForJobs) = (null, null, null, false);

    /// <summary>Null when nobody should know of it.</summary>
    public AnnouncedModel? Announce(long wish)
    {
        if (IsForJobs)
            return null;
        var bare = new AnnouncedModel { Name = model, Version = version, State = ModelState.Unavailable, Reason = Fault ?? "", Settings = Config.Announce(), Wish = wish };
        return (Leaves, Batcher) switch
        {
            (Departure.Unloaded, _) => (Known ?? bare) with { State = ModelState.Unavailable, Reason = ModelWish.UnloadedReason, Wish = wish },
            (_, null) => Fault is null ? null : bare,
            (null, { } batcher) => batcher.Model.Announce() with { Settings = Config.Announce(), Reason = Fault is null ? "" : $"its new files can't be loaded, so the old ones serve: {Fault}", Wish = wish },
            (Departure.Gone, { } batcher) => batcher.Model.Announce() with { State = ModelState.Unloading, Reason = "its files are gone", Wish = wish },
            (_, { } batcher) => batcher.Model.Announce() with { State = ModelState.Unloading, Reason = "version_policy leaves it out", Wish = wish },
        };
    }

    private void Note(FoundModel found, FoundVersion files, long wish) => (Tried, Wish) = ((files.Files, found.Settings), Math.Max(Wish, wish));
}
