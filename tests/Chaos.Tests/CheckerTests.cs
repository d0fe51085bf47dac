using Millrace.Chaos.History;

namespace Millrace.Chaos.Tests;

/// <summary>The judge itself: a good history passes, and each that is broken on purpose is named by the right guarantee.</summary>
public sealed class CheckerTests
{
    private static readonly Guid A = Guid.NewGuid(), B = Guid.NewGuid();

    private static readonly Transition[] Rows =
    [
        Row(1, null, 0, version: 1, fence: 0, attempt: 0), Row(2, 0, 1, version: 2, fence: 1, attempt: 1), Row(3, 1, 0, version: 3, fence: 2, attempt: 1),
        Row(4, 0, 1, version: 4, fence: 3, attempt: 2), Row(5, 1, 2, version: 5, fence: 3, attempt: 2),
    ];

    private static readonly ClientOperation Accepted = new(ClientKind.Submit, Certainty.Ok, "k", A, "queued");
    private static readonly ClientOperation Read = new(ClientKind.Read, Certainty.Ok, "k", A, "succeeded", "r", "r");
    private static readonly RunStart[] Runs = [new(A, 1, 1), new(A, 2, 3)];
    private static readonly Millrace.Chaos.History.History Good = new([Accepted, Read], Rows, Runs);

    public static TheoryData<string, string, Millrace.Chaos.History.History> Broken => new()
    {
        { "accepted, not stored", "I1", Good with { Client = [Accepted, new(ClientKind.Submit, Certainty.Ok, "k2", B)] } },
        { "accepted, never ended", "I1", Good with { Store = Rows[..4] } },
        { "ended twice", "I2", Good with { Store = [.. Rows, Row(6, 1, 3, 6, 3, 2)] } },
        { "read with two results", "I2", Good with { Client = [Accepted, Read, Read with { Result = "s", Expected = null }] } },
        { "read with two ends", "I2", Good with { Client = [Accepted, Read, Read with { State = "failed", Result = null }] } },
        { "a final state left", "I3", Good with { Store = [.. Rows, Row(6, 2, 0, 6, 4, 2)] } },
        { "queued to succeeded", "I3", Good with { Store = [Rows[0], Row(2, 0, 2, 2, 1, 0)], Runs = [] } },
        { "a version left out", "I3", Good with { Store = [.. Rows[..4], Row(5, 1, 2, 7, 3, 2)] } },
        { "a change that is missing", "I3", Good with { Store = [Rows[0], Row(2, 1, 2, 2, 0, 1)], Runs = [] } },
        { "a claim with the fence of before", "I4", Good with { Store = [Rows[0], Row(2, 0, 1, 2, 0, 1), Row(3, 1, 2, 3, 0, 1)], Runs = [new(A, 1, 0)] } },
        { "a late write with an old fence", "I4", Good with { Store = [.. Rows[..4], Row(5, 1, 2, 5, 1, 2)] } },
        { "a result under the name of a run that had not ended", "I4", Good with { Runs = [Runs[0], Runs[1] with { EndedAt = 1 }] } },
        { "a result of a run that never ended", "I4", Good with { Runs = [Runs[0], Runs[1] with { EndedAt = null }] } },
        { "a result of a claim that ran nothing", "I4", Good with { Runs = Runs[..1] } },
        { "an attempt that was not paid", "I5", Good with { Store = [Rows[0], Row(2, 0, 1, 2, 1, 0), Row(3, 1, 2, 3, 1, 0)], Runs = [new(A, 0, 1)] } },
        { "one attempt too many", "I5", Good with { Store = [.. Rows.Select(r => r with { MaxAttempts = 1 })] } },
        { "a run that nobody claimed", "I5", Good with { Runs = [.. Runs, new(A, 2, 4)] } },
        { "a job that nobody submitted", "I6", Good with { Store = [.. Rows, new Transition(9, B, null, 0, 1, 0, 0, 3, "other", false, null)] } },
        { "a run of no job", "I6", Good with { Runs = [.. Runs, new(B, 1, 1)] } },
        { "one key, two jobs", "I7", Good with { Store = [.. Rows, .. Rows.Select(r => r with { Id = B, Order = r.Order + 10 })] } },
        { "one key, two ids", "I7", Good with { Client = [Accepted, Accepted with { Id = B }], Store = [.. Rows, .. Rows.Select(r => r with { Id = B, Order = r.Order + 10, Key = null, ReplayOf = A })] } },
        { "refused, and stored", "I8", Good with { Client = [Accepted with { Certainty = Certainty.Fail, Id = null }] } },
        { "canceled, and succeeded", "I9", Good with { Client = [Accepted, new(ClientKind.Cancel, Certainty.Ok, "k", A)] } },
        { "failed without a reason", "I16", Good with { Store = [.. Rows[..4], Row(5, 1, 3, 5, 3, 2)] } },
        { "a wrong result", "I20", Good with { Client = [Accepted, Read with { Result = "wrong" }] } },
        { "purged while it runs", "I25", Good with { Store = [.. Rows[..4], Row(5, 1, null, 5, 3, 2)] } },
    };

    [Fact]
    public void Given_a_history_in_which_all_holds_When_checked_Then_nothing_is_found()
    {
        Assert.Empty(Checker.Check(Good));
        Assert.Equal(new Counts(1, 0, 0, 0, 0, 1), Checker.Count(Good));
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public void Given_a_history_that_is_broken_When_checked_Then_the_guarantee_is_named(string what, string invariant, Millrace.Chaos.History.History history) =>
        Assert.True(Checker.Check(history).Any(v => v.Invariant == invariant), $"{what}: {string.Join("; ", Checker.Check(history))}");

    [Fact]
    public void Given_answers_that_did_not_come_When_counted_Then_what_was_stored_is_recovered_and_the_rest_is_not_lost()
    {
        var silent = Good with { Client = [Accepted with { Certainty = Certainty.Info, Id = null }, new(ClientKind.Submit, Certainty.Info, "k9", null)] };
        Assert.Empty(Checker.Check(silent));
        Assert.Equal((0, 0, 1), Checker.Count(silent) is var c ? (c.Accepted, c.Lost, c.Recovered) : default);
        Assert.Equal(1, Checker.Count(Good with { Store = Rows[..4] }).Lost);
        Assert.Equal(1, Checker.Count(Good with { Runs = [.. Runs, new(B, 1, 1)] }).Unexpected);
        Assert.Equal(1, Checker.Count(Good with { Store = [.. Rows, .. Rows.Select(r => r with { Id = B, Order = r.Order + 10 })] }).Duplicated);
    }

    private static Transition Row(long order, int? from, int? to, long version, long fence, int attempt) => new(order, A, from, to, version, fence, attempt, 3, "k", false, null);
}
