namespace Millrace.Chaos.History;

/// <summary>Judges a history by the guarantees. It knows nothing of the product's code but the numbers of the states.</summary>
public static class Checker
{
    private const int Queued = 0, Running = 1, Succeeded = 2, Failed = 3, Canceled = 4, Expired = 5;

    private static readonly HashSet<(int? From, int? To)> Legal =
    [
        (null, Queued), (Queued, Queued), (Running, Running), // the same state: a dispatch mark, a lease
        (Queued, Running), (Queued, Canceled), (Queued, Expired), (Queued, Failed), (Running, Queued), (Running, Succeeded), (Running, Failed), (Running, Canceled),
        (Succeeded, Succeeded), (Failed, Failed), (Canceled, Canceled), (Expired, Expired), // when it is to be purged
        (Succeeded, null), (Failed, null), (Canceled, null), (Expired, null),
    ];

    public static IReadOnlyList<Violation> Check(History history)
    {
        var found = new List<Violation>();
        var jobs = history.Store.GroupBy(t => t.Id).ToDictionary(g => g.Key, g => g.OrderBy(t => t.Order).ToArray());
        foreach (var (id, rows) in jobs)
            found.AddRange(CheckRows(id, rows));
        found.AddRange(CheckClient(history, jobs));
        found.AddRange(CheckRuns(history, jobs));
        return found;
    }

    public static Counts Count(History history)
    {
        var jobs = history.Store.GroupBy(t => t.Id).ToDictionary(g => g.Key, g => g.OrderBy(t => t.Order).ToArray());
        var accepted = Submits(history, Certainty.Ok).Select(o => o.Key).ToHashSet();
        var byKey = jobs.Values.Where(r => r[0].Key is not null).GroupBy(r => r[0].Key!).ToDictionary(g => g.Key, g => g.Count());
        var known = history.Client.Where(o => o.Kind == ClientKind.Submit).Select(o => o.Key).ToHashSet();
        return new Counts(
            accepted.Count,
            Submits(history, Certainty.Ok).Where(o => o.Id is { } id && !(jobs.TryGetValue(id, out var rows) && IsFinal(rows[^1].To ?? rows[^1].From))).Select(o => o.Key).Distinct().Count(),
            Submits(history, Certainty.Info).Select(o => o.Key).Where(k => byKey.ContainsKey(k)).Distinct().Count(),
            jobs.Values.Count(r => r[0].ReplayOf is null && (r[0].Key is not { } key || !known.Contains(key))) + history.Runs.Count(r => !jobs.ContainsKey(r.Id)),
            byKey.Values.Count(n => n > 1) + jobs.Values.Count(r => r.Count(t => IsFinal(t.To) && !IsFinal(t.From)) > 1),
            Math.Max(0, history.Runs.Count - history.Runs.Select(r => r.Id).Distinct().Count()));
    }

    private static IEnumerable<Violation> CheckRows(Guid id, Transition[] rows)
    {
        if (rows.Count(t => IsFinal(t.To) && !IsFinal(t.From)) > 1)
            yield return new("I2", $"{id} ended more than once");
        foreach (var row in rows)
        {
            if (!Legal.Contains((row.From, row.To)))
                yield return new(row.To is null ? "I25" : "I3", $"{id} went from {row.From} to {row.To}");
            if (row is { To: Failed, From: not Failed, HasError: false })
                yield return new("I16", $"{id} failed without a reason");
        }
        for (var at = 1; at < rows.Length; at++)
        {
            var (before, row) = (rows[at - 1], rows[at]);
            if (row.To is null)
                continue;
            if (row.From != before.To)
                yield return new("I3", $"{id} was {before.To}, then changed from {row.From}");
            var changed = row.From != row.To;
            if (changed && row.Version != before.Version + 1)
                yield return new("I3", $"{id}: version {before.Version} was followed by {row.Version}");
            if (row.Fence < before.Fence)
                yield return new("I4", $"{id}: fence {before.Fence} was followed by {row.Fence}");
            if (changed && row.To is Running or Canceled or Queued && changed && row.Fence <= before.Fence)
                yield return new("I4", $"{id} went from {row.From} to {row.To} with the fence {row.Fence} of before");
            if (row is { From: Running, To: Succeeded } && row.Fence != before.Fence)
                yield return new("I4", $"{id} succeeded with fence {row.Fence}, but {before.Fence} held it");
            if (row is { From: Queued, To: Running } && row.Attempt != before.Attempt + 1)
                yield return new("I5", $"{id}: attempt {before.Attempt} was followed by {row.Attempt} without being paid");
            if (row.Attempt > row.MaxAttempts)
                yield return new("I5", $"{id}: attempt {row.Attempt} of {row.MaxAttempts}");
            if (row is { From: Queued, To: Failed, Attempt: 0 })
                yield return new("I3", $"{id} failed without an attempt");
        }
    }

    private static IEnumerable<Violation> CheckClient(History history, Dictionary<Guid, Transition[]> jobs)
    {
        foreach (var submit in Submits(history, Certainty.Ok))
        {
            if (submit.Id is not { } id || !jobs.TryGetValue(id, out var rows))
                yield return new("I1", $"{submit.Key} was accepted as {submit.Id} and is not stored");
            else if (!IsFinal(rows[^1].To ?? rows[^1].From))
                yield return new("I1", $"{id} was accepted and did not end: it is {rows[^1].To}");
        }
        foreach (var key in Submits(history, Certainty.Ok).GroupBy(o => o.Key).Where(g => g.Select(o => o.Id).Distinct().Count() > 1))
            yield return new("I7", $"{key.Key} got {key.Select(o => o.Id).Distinct().Count()} ids");
        foreach (var key in jobs.Values.Where(r => r[0].Key is not null).GroupBy(r => r[0].Key).Where(g => g.Count() > 1))
            yield return new("I7", $"{key.Key} made {key.Count()} jobs");
        var submits = history.Client.Where(o => o.Kind == ClientKind.Submit).GroupBy(o => o.Key).ToDictionary(g => g.Key, g => g.Select(o => o.Certainty).ToHashSet());
        foreach (var (id, rows) in jobs.Where(j => j.Value[0].ReplayOf is null))
        {
            if (rows[0].Key is not { } key || !submits.TryGetValue(key, out var said))
                yield return new("I6", $"{id} is stored, and nobody submitted it");
            else if (said.SetEquals([Certainty.Fail]))
                yield return new("I8", $"{id} is stored, and its client was told that it is not");
        }
        foreach (var cancel in history.Client.Where(o => o is { Kind: ClientKind.Cancel, Certainty: Certainty.Ok, Id: not null }))
        {
            if (jobs.TryGetValue(cancel.Id!.Value, out var rows) && rows.Any(t => t.To is Succeeded or Failed && !IsFinal(t.From)))
                yield return new("I9", $"{cancel.Id} was canceled and ended otherwise");
        }
        foreach (var reads in history.Client.Where(o => o is { Kind: ClientKind.Read, Certainty: Certainty.Ok, Id: not null }).GroupBy(o => o.Id!.Value))
        {
            if (reads.Select(r => r.Result).OfType<string>().Distinct().Count() > 1 || reads.Select(r => r.State).Where(s => s is not (null or "queued" or "running")).Distinct().Count() > 1)
                yield return new("I2", $"{reads.Key} was read with two ends");
            if (reads.Any(r => r is { Result: not null, Expected: not null } && r.Result != r.Expected))
                yield return new("I20", $"{reads.Key} has a result that is not right");
        }
    }

    private static IEnumerable<Violation> CheckRuns(History history, Dictionary<Guid, Transition[]> jobs)
    {
        foreach (var runs in history.Runs.GroupBy(r => r.Id))
        {
            if (!jobs.TryGetValue(runs.Key, out var rows))
            {
                yield return new("I6", $"{runs.Key} ran, and is not stored");
                continue;
            }
            var claims = rows.Where(t => t is { From: Queued, To: Running }).Select(t => (t.Attempt, t.Fence)).ToHashSet();
            foreach (var run in runs.Where(r => !claims.Contains((r.Attempt, r.Fence))))
                yield return new("I5", $"{runs.Key} ran as attempt {run.Attempt} with fence {run.Fence}, which nobody claimed");
            var won = rows.Where(t => t is { From: Running, To: Succeeded }).ToArray();
            if (won.Any(t => !runs.Any(r => r.Fence == t.Fence)))
                yield return new("I4", $"{runs.Key} succeeded by a claim that ran nothing");
            else if (won.Any(t => !runs.Any(r => r.Fence == t.Fence && r.EndedAt <= t.At))) // it was another's result, under this claim's name
                yield return new("I4", $"{runs.Key} succeeded before the run of its claim had ended");
        }
    }

    private static IEnumerable<ClientOperation> Submits(History history, Certainty certainty) => history.Client.Where(o => o.Kind == ClientKind.Submit && o.Certainty == certainty);

    private static bool IsFinal(int? state) => state >= Succeeded;
}
