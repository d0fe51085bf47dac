using System.Globalization;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Grpc;
using Millrace.Api.Http;

namespace Millrace.Api.Errors;

/// <summary>The one way from a refusal to an answer: a status of gRPC for its calls, the protocol's shape under /v2, RFC 9457 everywhere else.</summary>
internal static class Problems
{
    public static Task WriteAsync(HttpContext context, Refusal refusal)
    {
        if (GrpcAnswer.IsFor(context.Request))
            return GrpcAnswer.WriteAsync(context, refusal);
        var info = ErrorCodes.All[refusal.Code];
        var response = context.Response;
        response.StatusCode = info.Status;
        if (refusal.RetryAfter is { } seconds)
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        if (refusal.Code == ErrorCode.Unauthorized)
            response.Headers.WWWAuthenticate = "Bearer"; // RFC 6750 §3
        if (refusal.AcceptEncoding is { } codings)
            response.Headers.AcceptEncoding = codings;
        response.Headers.CacheControl = "no-store";
        if (info.Status == StatusCodes.Status413PayloadTooLarge)
            response.Headers.Connection = "close"; // the rest of the body is not read, so nothing can follow it
        return context.Request.Path.StartsWithSegments("/v2")
            ? JsonBody.WriteAsync(context, new ProtocolError(refusal.Detail, info.Name), ApiJson.Default.ProtocolError, "application/json")
            : JsonBody.WriteAsync(context, Problem(context, info, refusal), ApiJson.Default.Problem, "application/problem+json");
    }

    public static Task WriteAsync(HttpContext context, ErrorCode code, string detail) => WriteAsync(context, new Refusal(code, detail));

    private static Problem Problem(HttpContext context, ErrorInfo info, Refusal refusal) => new()
    {
        Type = $"{context.Request.Scheme}://{context.Request.Host}/problems/{info.Name}",
        Title = info.Title,
        Status = info.Status,
        Detail = refusal.Detail,
        Instance = context.Request.Path,
        Code = info.Name,
        RequestId = context.TraceIdentifier,
        Errors = refusal.Errors.Count > 0 ? refusal.Errors : null,
        RetryAfter = refusal.RetryAfter,
        ViolatedPolicies = refusal.ViolatedPolicies,
    };
}

/// <summary>An error under /v2: <c>error</c> is the protocol's member, <c>code</c> ours.</summary>
public sealed record ProtocolError(string Error, string Code);

/// <summary>Problem details.</summary>
/// <remarks>Source: RFC 9457; code, request_id, errors and retry_after are our extension members.</remarks>
public sealed record Problem
{
    public required string Type { get; init; }
    public required string Title { get; init; }
    public required int Status { get; init; }
    public required string Detail { get; init; }
    public required string Instance { get; init; }
    public required string Code { get; init; }
    public required string RequestId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<FieldError>? Errors { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? RetryAfter { get; init; }

    /// <remarks>Source: draft-ietf-httpapi-ratelimit-headers-10, problem type quota-exceeded.</remarks>
    [JsonPropertyName("violated-policies"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? ViolatedPolicies { get; init; }
}
