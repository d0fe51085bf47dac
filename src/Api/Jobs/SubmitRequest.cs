using System.Text.Json;
using Millrace.Api.Errors;
using Millrace.Api.Inference;

namespace Millrace.Api.Jobs;

/// <summary>The body of <c>POST /v1/jobs</c>. Durations are seconds.</summary>
public sealed record SubmitRequest
{
    public string? Model { get; init; }

    /// <summary>The newest ready one when left out; pinned when the job is accepted.</summary>
    public string? ModelVersion { get; init; }

    /// <summary>1 first, 9 last, 0 for the default (5).</summary>
    public int Priority { get; init; }

    /// <summary>The longest that one attempt may run.</summary>
    public double Timeout { get; init; } = 60;

    /// <summary>No attempt starts later than this after the job was accepted.</summary>
    public double ExpiresIn { get; init; } = 21_600;

    /// <summary>The earliest start.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>Runs in all, not retries.</summary>
    public int MaxAttempts { get; init; } = 3;

    /// <summary>How long input and result are kept after the end.</summary>
    public double ResultTtl { get; init; } = 86_400;

    /// <summary>Up to 16 keys of up to 40 characters with values of up to 500; echoed and filterable, never interpreted.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();
}

/// <summary>What the OpenAPI document shows for a submission.</summary>
public sealed record SubmitSchema
{
    public required string Model { get; init; }
    public string? ModelVersion { get; init; }
    public required InferenceRequestSchema Inference { get; init; }
    public int Priority { get; init; }
    public double Timeout { get; init; } = 60;
    public double ExpiresIn { get; init; } = 21_600;
    public DateTimeOffset? NotBefore { get; init; }
    public int MaxAttempts { get; init; } = 3;
    public double ResultTtl { get; init; } = 86_400;
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>Reads the members of a submission but for <c>inference</c>, of which it remembers where it stands: it can be read only when the model is known.</summary>
internal ref struct SubmitReader(ReadOnlySpan<byte> json, int maxDepth)
{
    /// <summary>So many faults are told; an answer must not be larger than what it answers.</summary>
    private const int MostErrors = 20;

    private readonly ReadOnlySpan<byte> _json = json;
    private readonly List<FieldError> _errors = [];

    /// <summary>The bytes of <c>inference</c>.</summary>
    public Range Inference { get; private set; }

    public readonly IReadOnlyList<FieldError> Errors => _errors;

    /// <exception cref="RefusedException">It is not JSON, not an object, or asks for what is not built.</exception>
    public SubmitRequest Read()
    {
        try { return ReadObject(); }
        catch (JsonException error) { throw new RefusedException(ErrorCode.InvalidJson, $"The body is not valid JSON: {error.Message}"); }
        catch (InvalidOperationException) { throw new RefusedException(ErrorCode.InvalidJson, "The body has a string that is not valid Unicode."); }
    }

    private SubmitRequest ReadObject()
    {
        var request = new SubmitRequest();
        var seen = new HashSet<string>();
        var json = new Utf8JsonReader(_json, new JsonReaderOptions { MaxDepth = maxDepth });
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
            throw new RefusedException(ErrorCode.InvalidRequest, "The body must be an object with model and inference.");
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var name = json.GetString()!;
            json.Read();
            if (!seen.Add(name))
                Add(name, "is given twice");
            request = ReadMember(ref json, name, request);
        }
        json.Read(); // throws on anything but white space
        if (!seen.Contains("inference"))
            Add("inference", "is missing; it is an inference request with inputs");
        return request;
    }

    private SubmitRequest ReadMember(ref Utf8JsonReader json, string name, SubmitRequest request)
    {
        switch (name)
        {
            case "model": return request with { Model = String(ref json, name) };
            case "model_version": return request with { ModelVersion = json.TokenType == JsonTokenType.Null ? null : String(ref json, name) };
            case "priority": return request with { Priority = Integer(ref json, name) ?? request.Priority };
            case "timeout": return request with { Timeout = Number(ref json, name) ?? request.Timeout };
            case "expires_in": return request with { ExpiresIn = Number(ref json, name) ?? request.ExpiresIn };
            case "not_before": return request with { NotBefore = json.TokenType == JsonTokenType.Null ? null : Time(ref json, name) };
            case "max_attempts": return request with { MaxAttempts = Integer(ref json, name) ?? request.MaxAttempts };
            case "result_ttl": return request with { ResultTtl = Number(ref json, name) ?? request.ResultTtl };
            case "metadata": return request with { Metadata = Texts(ref json, name) };
            case "inference": ReadInference(ref json); return request;
            case "webhook" when json.TokenType == JsonTokenType.Null: return request;
            case "webhook": throw new RefusedException(ErrorCode.NotImplemented, "webhook is not supported yet; poll the job, or wait for it with Prefer: wait.");
            default:
                Reject(ref json, name, "is not a member of a job");
                return request;
        }
    }

    private void ReadInference(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartObject)
            Add("inference", "must be an object with inputs");
        var start = (int)json.TokenStartIndex;
        json.Skip();
        Inference = start..(int)json.BytesConsumed;
    }

    private readonly string? String(ref Utf8JsonReader json, string name)
    {
        if (json.TokenType == JsonTokenType.String)
            return json.GetString();
        Reject(ref json, name, "must be a string");
        return null;
    }

    private readonly int? Integer(ref Utf8JsonReader json, string name)
    {
        if (json.TokenType == JsonTokenType.Number && json.TryGetInt32(out var value))
            return value;
        Reject(ref json, name, "must be a whole number");
        return null;
    }

    private readonly double? Number(ref Utf8JsonReader json, string name)
    {
        if (json.TokenType == JsonTokenType.Number && json.TryGetDouble(out var value))
            return value;
        Reject(ref json, name, "must be a number of seconds");
        return null;
    }

    private readonly DateTimeOffset? Time(ref Utf8JsonReader json, string name)
    {
        if (json.TokenType == JsonTokenType.String && JobTimes.TryParse(json.GetString()!, out var time))
            return time;
        Reject(ref json, name, "must be a time as RFC 3339, like 2030-01-31T12:00:00Z");
        return null;
    }

    private readonly Dictionary<string, string> Texts(ref Utf8JsonReader json, string name)
    {
        var texts = new Dictionary<string, string>();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            if (json.TokenType != JsonTokenType.Null)
                Reject(ref json, name, "must be an object of strings");
            return texts;
        }
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var key = json.GetString()!;
            json.Read();
            if (json.TokenType == JsonTokenType.String)
                texts[key] = json.GetString()!;
            else
                Reject(ref json, name, "must be a string", key);
        }
        return texts;
    }

    private readonly void Reject(ref Utf8JsonReader json, string name, string what, string? below = null)
    {
        Add(name, what, below);
        json.Skip();
    }

    private readonly void Add(string name, string what, string? below = null)
    {
        if (_errors.Count < MostErrors)
            _errors.Add(new FieldError(JsonPointer.Step(name) + (below is null ? "" : JsonPointer.Step(below)), what));
    }
}
