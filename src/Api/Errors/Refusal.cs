namespace Millrace.Api.Errors;

/// <summary>Why a request is not carried out; <see cref="Problems"/> turns it into an answer.</summary>
/// <param name="Detail">What came and what would be right, for this one request.</param>
internal sealed record Refusal(ErrorCode Code, string Detail)
{
    public IReadOnlyList<FieldError> Errors { get; init; } = [];

    /// <summary>Whole seconds from 1, for the header of the same name.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>Names of the rate limit policies that a 429 broke.</summary>
    public IReadOnlyList<string>? ViolatedPolicies { get; init; }

    /// <summary>Content codings for the header Accept-Encoding of a 415.</summary>
    public string? AcceptEncoding { get; init; }
}

/// <param name="Pointer">JSON Pointer (RFC 6901) into the body, or the name of a query parameter or header.</param>
public sealed record FieldError(string Pointer, string Detail);

/// <summary>Ends the reading of a request that is found wrong deep inside it.</summary>
internal sealed class RefusedException(Refusal refusal) : Exception(refusal.Detail)
{
    public RefusedException(ErrorCode code, string detail) : this(new Refusal(code, detail)) { }

    public Refusal Refusal { get; } = refusal;
}
