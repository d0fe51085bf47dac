using System.Text.Json;
using Millrace.Api.Errors;
using Millrace.Api.Jobs;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Replays;

/// <summary>The body of <c>POST /v1/jobs/{id}/replay</c>, and <c>overrides</c> of a bulk replay: what is null is as in the source. Durations are seconds.</summary>
public sealed record ReplayRequest
{
    public string? ModelVersion { get; init; }

    /// <summary>1 first, 9 last.</summary>
    public int? Priority { get; init; }
    public double? Timeout { get; init; }
    public double? ExpiresIn { get; init; }
}

/// <summary>The body of <c>POST /v1/replays</c>.</summary>
public sealed record BulkReplayRequest
{
    /// <summary>As the filters of the list of jobs; failed jobs where no state is named. One at least.</summary>
    public required BulkReplayFilter Filter { get; init; }
    public ReplayRequest? Overrides { get; init; }

    /// <summary>Count only, and write nothing.</summary>
    public required bool DryRun { get; init; }

    /// <summary>1 to 10,000; the oldest first.</summary>
    public int MaxJobs { get; init; } = 10_000;

    /// <summary>Jobs a second, so that a replay can't starve live traffic; null for as fast as it goes.</summary>
    public double? RatePerSecond { get; init; }

    /// <summary>From a dry run: the replay is refused when its set has changed since.</summary>
    public string? Plan { get; init; }
}

/// <summary>What a bulk replay takes.</summary>
public sealed record BulkReplayFilter
{
    public IReadOnlyList<string>? State { get; init; }
    public string? Model { get; init; }
    public int? Priority { get; init; }
    public DateTimeOffset? CreatedAfter { get; init; }
    public DateTimeOffset? CreatedBefore { get; init; }
    public string? ReplayOf { get; init; }
    public string? Fingerprint { get; init; }
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>Reads both bodies, and tells every fault with its JSON Pointer.</summary>
/// <remarks>Source: RFC 6901 for the pointers.</remarks>
internal sealed class ReplayReader
{
    private const int MostErrors = 20;
    private const int MostJobs = 10_000;
    private readonly List<FieldError> _errors = [];

    /// <param name="body">May be empty: nothing is overridden.</param>
    /// <exception cref="RefusedException">400.</exception>
    public static ReplayRequest ReadOne(ReadOnlyMemory<byte> body)
    {
        if (body.Length == 0)
            return new ReplayRequest();
        using var json = Parse(body);
        var reader = new ReplayReader();
        try
        {
            var request = reader.Overrides(json.RootElement, "");
            reader.ThrowIfFaulty();
            return request;
        }
        catch (InvalidOperationException) { throw NotUnicode(); }
    }

    /// <exception cref="RefusedException">400.</exception>
    public static (BulkReplayRequest Request, JobFilter Filter) ReadBulk(ReadOnlyMemory<byte> body, string tenant)
    {
        using var json = Parse(body);
        try { return ReadBulk(json.RootElement, tenant); }
        catch (InvalidOperationException) { throw NotUnicode(); }
    }

    /// <summary>The parser passes an escaped half of a pair; reading it as text fails.</summary>
    private static RefusedException NotUnicode() => new(ErrorCode.InvalidJson, "The body has a string that is not valid Unicode.");

    private static (BulkReplayRequest Request, JobFilter Filter) ReadBulk(JsonElement json, string tenant)
    {
        var reader = new ReplayReader();
        var request = new BulkReplayRequest { Filter = new BulkReplayFilter(), DryRun = false };
        var filter = new JobFilter { Tenant = tenant, Limit = 0 };
        var seen = new HashSet<string>();
        foreach (var member in reader.Members(json, "", seen))
        {
            var value = member.Value;
            switch (member.Name)
            {
                case "dry_run" when value.ValueKind is JsonValueKind.True or JsonValueKind.False: request = request with { DryRun = value.GetBoolean() }; break;
                case "dry_run": reader.Add("/dry_run", "must be true or false"); break;
                case "filter": filter = reader.Filter(value, filter); break;
                case "overrides" when value.ValueKind == JsonValueKind.Null: break;
                case "overrides": request = request with { Overrides = reader.Overrides(value, "/overrides") }; break;
                case "max_jobs": request = request with { MaxJobs = reader.Whole(value, "/max_jobs", 1, MostJobs) ?? MostJobs }; break;
                case "rate_per_second" when value.ValueKind == JsonValueKind.Null: break;
                case "rate_per_second": request = request with { RatePerSecond = reader.Number(value, "/rate_per_second", 0.001, 100_000) }; break;
                case "plan": request = request with { Plan = reader.Text(value, "/plan") }; break;
                default: reader.Add(JsonPointer.Step(member.Name), "is not a member of a replay"); break;
            }
        }
        if (!seen.Contains("dry_run"))
            reader.Add("/dry_run", "is missing; true counts what would be made, false makes it");
        if (!seen.Contains("filter"))
            reader.Add("/filter", "is missing; it names what to replay, like {\"model\": \"digits\"}");
        reader.ThrowIfFaulty();
        return (request, filter);
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            var json = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 8 });
            if (json.RootElement.ValueKind == JsonValueKind.Object)
                return json;
            json.Dispose();
        }
        catch (JsonException error) { throw new RefusedException(ErrorCode.InvalidJson, $"The body is not valid JSON: {error.Message}"); }
        throw new RefusedException(ErrorCode.InvalidRequest, "The body must be an object.");
    }

    private ReplayRequest Overrides(JsonElement json, string at)
    {
        var request = new ReplayRequest();
        foreach (var member in Members(json, at, []))
        {
            var pointer = at + JsonPointer.Step(member.Name);
            switch (member.Name)
            {
                case "model_version" or "priority" or "timeout" or "expires_in" or "webhook" when member.Value.ValueKind == JsonValueKind.Null: break;
                case "model_version": request = request with { ModelVersion = Text(member.Value, pointer) }; break;
                case "priority": request = request with { Priority = Whole(member.Value, pointer, 1, 9) }; break;
                case "timeout": request = request with { Timeout = Number(member.Value, pointer, 0.001, 3600) }; break;
                case "expires_in": request = request with { ExpiresIn = Number(member.Value, pointer, 1, 604_800) }; break;
                case "webhook": throw new RefusedException(ErrorCode.NotImplemented, "webhook is not supported yet; poll the job, or wait for it with Prefer: wait.");
                default: Add(pointer, "can't be overridden; model_version, priority, timeout and expires_in can"); break;
            }
        }
        return request;
    }

    private JobFilter Filter(JsonElement json, JobFilter filter)
    {
        var seen = new HashSet<string>();
        foreach (var member in Members(json, "/filter", seen))
        {
            var pointer = "/filter" + JsonPointer.Step(member.Name);
            switch (member.Name)
            {
                case "state": filter = filter with { States = States(member.Value, pointer) }; break;
                case "model": filter = filter with { Model = Text(member.Value, pointer) }; break;
                case "priority": filter = filter with { Priority = Whole(member.Value, pointer, 1, 9) }; break;
                case "created_after": filter = filter with { CreatedAfter = Time(member.Value, pointer) }; break;
                case "created_before": filter = filter with { CreatedBefore = Time(member.Value, pointer) }; break;
                case "fingerprint": filter = filter with { Fingerprint = Text(member.Value, pointer) }; break;
                case "replay_of": filter = filter with { ReplayOf = Job(member.Value, pointer) }; break;
                case "metadata": filter = filter with { Metadata = Texts(member.Value, pointer) }; break;
                default: Add(pointer, "is not a filter; state, model, priority, created_after, created_before, fingerprint, replay_of and metadata are"); break;
            }
        }
        if (seen.Count == 0 || (seen.SetEquals(["metadata"]) && filter.Metadata.Count == 0 && _errors.Count == 0))
            Add("/filter", "names nothing; a replay of everything is hardly meant");
        return filter.States.Count > 0 ? filter : filter with { States = [JobState.Failed] };
    }

    private IEnumerable<JsonProperty> Members(JsonElement json, string at, HashSet<string> seen)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            Add(at, "must be an object");
            yield break;
        }
        foreach (var member in json.EnumerateObject())
        {
            if (seen.Add(member.Name))
                yield return member;
            else
                Add(at + JsonPointer.Step(member.Name), "is given twice");
        }
    }

    private JobState[] States(JsonElement value, string at)
    {
        JsonElement[] named = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
        var states = named.Select(n => n.ValueKind == JsonValueKind.String ? JobFilters.StateOf(n.GetString()) : null).ToArray();
        if (states.Length == 0 || states.Any(s => s is null))
            Add(at, "must be queued, running, succeeded, failed, canceled or expired, or an array of them");
        return states.OfType<JobState>().Distinct().Order().ToArray();
    }

    private string? Text(JsonElement value, string at)
    {
        if (value.ValueKind == JsonValueKind.String && !value.GetString()!.Contains('\0'))
            return value.GetString();
        Add(at, "must be a string");
        return null;
    }

    private int? Whole(JsonElement value, string at, int least, int most)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= least && number <= most)
            return number;
        Add(at, $"must be a whole number from {least} to {most}");
        return null;
    }

    private double? Number(JsonElement value, string at, double least, double most)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= least && number <= most)
            return number;
        Add(at, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"must be a number from {least} to {most}"));
        return null;
    }

    private DateTimeOffset? Time(JsonElement value, string at)
    {
        if (value.ValueKind == JsonValueKind.String && JobTimes.TryParse(value.GetString()!, out var time))
            return time;
        Add(at, "must be a time as RFC 3339, like 2030-01-31T12:00:00Z");
        return null;
    }

    private JobId? Job(JsonElement value, string at)
    {
        if (value.ValueKind == JsonValueKind.String && JobId.TryParse(value.GetString(), out var id))
            return id;
        Add(at, "must be a job's id");
        return null;
    }

    private Dictionary<string, string> Texts(JsonElement value, string at) => Members(value, at, [])
        .Select(m => (m.Name, Value: Text(m.Value, at + JsonPointer.Step(m.Name)))).Where(m => m.Value is not null).ToDictionary(m => m.Name, m => m.Value!);

    private void Add(string pointer, string what)
    {
        if (_errors.Count < MostErrors)
            _errors.Add(new FieldError(pointer, what));
    }

    private void ThrowIfFaulty()
    {
        if (_errors.Count > 0)
            throw new RefusedException(new Refusal(ErrorCode.InvalidRequest, $"{_errors[0].Pointer} {_errors[0].Detail}.") { Errors = _errors });
    }
}
