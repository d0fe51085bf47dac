using System.Security.Cryptography;
using Millrace.Storage.Jobs;

namespace Millrace.Storage.Replays;

/// <summary>What replays are, whatever the store.</summary>
internal static class ReplayRules
{
    public const int SampleSize = 20;

    /// <summary>A bulk replay's name on the wire.</summary>
    public static string Name(JobId id) => id.ToString("replay_");

    /// <summary>The job that repeats a source; its version is the caller's, else the one that the source named, else the newest.</summary>
    public static NewJob NewJob(ReplaySource source, ReplaySettings settings)
    {
        var keep = source.Job.VersionNamed && !settings.OverrideVersion;
        return new NewJob
        {
            Tenant = source.Job.Tenant,
            Model = source.Job.Model,
            ModelVersion = keep ? source.Job.ModelVersion : settings.ModelVersion,
            VersionNamed = keep || settings.OverrideVersion,
            Priority = settings.Priority ?? source.Job.Priority,
            MaxAttempts = source.Job.MaxAttempts,
            Timeout = settings.Timeout ?? source.Job.Timeout,
            ExpiresIn = settings.ExpiresIn ?? (source.Job.ExpiresAt - source.Job.CreatedAt),
            ResultTtl = source.ResultTtl,
            Metadata = source.Job.Metadata,
            TraceParent = settings.TraceParent ?? source.Job.TraceParent,
            TraceState = settings.TraceState,
            Input = source.Input!.Value,
            Key = settings.Key,
            ReplayOf = source.Job.Id,
        };
    }

    public static ReplayPlan Plan(IReadOnlyList<(JobId Id, JobState State, bool HasInput)> matched)
    {
        var replayable = matched.Where(m => m.State.IsFinal() && m.HasInput).Select(m => m.Id).ToArray();
        var unfinished = matched.Count(m => !m.State.IsFinal());
        return new ReplayPlan(matched.Count, replayable.Length, matched.Count - replayable.Length - unfinished, unfinished, replayable.Take(SampleSize).ToArray(), Hash(matched.Select(m => m.Id)));
    }

    /// <summary>How many may be made now, and up to when the pace is used up: what was not used is kept for a second at most.</summary>
    public static (int Count, DateTimeOffset PacedAt) Pace(double? rate, DateTimeOffset? pacedAt, DateTimeOffset now, int atMost)
    {
        if (rate is not { } perSecond)
            return (atMost, now);
        if (pacedAt is not { } since)
            return (1, now);
        var due = Math.Min((now - since).TotalSeconds * perSecond, Math.Max(1, perSecond));
        var count = Math.Min(atMost, (int)(due + 1e-6));
        return (count, now.AddSeconds(-Math.Max(0, due - count) / perSecond)); // the fraction that is left over counts next time
    }

    private static string Hash(IEnumerable<JobId> ids)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var id in ids)
            hash.AppendData(id.Value.ToByteArray());
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }
}

/// <param name="Input">Null when it is not kept any more.</param>
internal sealed record ReplaySource(Job Job, TimeSpan ResultTtl, ReadOnlyMemory<byte>? Input);

/// <summary>What a bulk replay changes, as it is stored. Durations are seconds.</summary>
internal sealed record BulkSettings(string? ModelVersion, int? Priority, double? Timeout, double? ExpiresIn)
{
    public static BulkSettings Of(NewBulkReplay replay) => new(replay.ModelVersion, replay.Priority, replay.Timeout?.TotalSeconds, replay.ExpiresIn?.TotalSeconds);

    /// <summary>Null when there is no version to run it on.</summary>
    public ReplaySettings? For(Job source, Func<string, string?> newest) =>
        (ModelVersion ?? (source.VersionNamed ? source.ModelVersion : newest(source.Model))) is not { } version ? null : new ReplaySettings
        {
            ModelVersion = version,
            OverrideVersion = ModelVersion is not null,
            Priority = Priority,
            Timeout = Timeout is { } timeout ? TimeSpan.FromSeconds(timeout) : null,
            ExpiresIn = ExpiresIn is { } expiry ? TimeSpan.FromSeconds(expiry) : null,
        };
}

/// <summary>The numbers are stored: never renumber.</summary>
internal enum ReplayItemState
{
    Left = 0,
    Made = 1,
    Skipped = 2,
    Failed = 3,
}
