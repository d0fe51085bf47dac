using System.Globalization;
using System.Text;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Millrace.Api.Errors;
using Millrace.Hosting.Telemetry;

namespace Millrace.Api.Grpc;

/// <summary>A refusal in gRPC's shape: a status for its kind, and the listed code beside it.</summary>
internal static class GrpcAnswer
{
    private const string MediaType = "application/grpc";
    private const string StatusField = "grpc-status";
    private const string CodeField = "millrace-code";
    private const string PushbackField = "grpc-retry-pushback-ms"; // gRFC A6: clients with a retry policy wait that long

    /// <summary>It came as a call of gRPC, whatever its path.</summary>
    public static bool IsFor(HttpRequest request) => HttpProtocol.IsHttp2(request.Protocol) && request.ContentType is { } type
        && type.StartsWith(MediaType, StringComparison.OrdinalIgnoreCase) && (type.Length == MediaType.Length || type[MediaType.Length] is '+' or ';');

    /// <summary>The whole answer, as trailers alone.</summary>
    public static Task WriteAsync(HttpContext context, Refusal refusal)
    {
        var response = context.Response;
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = MediaType;
        response.Headers[StatusField] = Text((int)StatusOf(ErrorCodes.All[refusal.Code].Status));
        response.Headers["grpc-message"] = PercentEncoded(refusal.Detail);
        foreach (var (name, value) in Fields(refusal))
            response.Headers[name] = value;
        return Task.CompletedTask;
    }

    /// <summary>The same from inside a method.</summary>
    public static RpcException Exception(Refusal refusal)
    {
        var trailers = new Metadata();
        foreach (var (name, value) in Fields(refusal))
            trailers.Add(name, value);
        return new RpcException(new Status(StatusOf(ErrorCodes.All[refusal.Code].Status), refusal.Detail), trailers);
    }

    /// <summary>What the framework refused by itself gets a code of ours; what it could not read is the caller's mistake, and not an unknown one.</summary>
    public static void Label(HttpContext context, Refusals refusals)
    {
        var headers = context.Response.Headers;
        if (context.Response.HasStarted || headers.ContainsKey(CodeField) || StatusOf(context) is not { } status)
            return;
        Refusal? refusal = status switch
        {
            StatusCode.ResourceExhausted => new Refusal(ErrorCode.PayloadTooLarge, "The message is larger than this server takes (Millrace:Http:MaxBodyBytes), after its compression is undone."),
            StatusCode.Unknown or StatusCode.Internal => new Refusal(ErrorCode.InvalidRequest, "The message can't be read."),
            StatusCode.Unimplemented => new Refusal(ErrorCode.NotImplemented, "The message is compressed in a way that is not known here; gzip, deflate and identity are."),
            _ => null,
        };
        if (refusal is null)
            return;
        refusals.Note(context, refusal.Code);
        WriteAsync(context, refusal);
    }

    /// <summary>The HTTP status that the answer would have had there; null when it is no answer of gRPC.</summary>
    public static int? HttpStatus(HttpContext context) => StatusOf(context) is not { } status ? null
        : context.Features.Get<RequestTags>()?.Code is { } code && ErrorCodes.All.Values.FirstOrDefault(e => e.Name == code) is { } known ? known.Status
        : status switch
        {
            StatusCode.OK => 200,
            StatusCode.Cancelled => 499,
            StatusCode.InvalidArgument => 400,
            StatusCode.Unauthenticated => 401,
            StatusCode.PermissionDenied => 403,
            StatusCode.NotFound => 404,
            StatusCode.ResourceExhausted => 429,
            StatusCode.Unimplemented => 501,
            StatusCode.Unavailable => 503,
            StatusCode.DeadlineExceeded => 504,
            _ => 500,
        };

    private static StatusCode? StatusOf(HttpContext context)
    {
        if (!context.Response.Headers.TryGetValue(StatusField, out var sent) && context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers.TryGetValue(StatusField, out sent) != true)
            return null;
        return int.TryParse(sent, NumberStyles.None, CultureInfo.InvariantCulture, out var status) ? (StatusCode)status : null;
    }

    private static StatusCode StatusOf(int http) => http switch
    {
        400 or 406 or 415 or 422 => StatusCode.InvalidArgument,
        401 => StatusCode.Unauthenticated,
        403 => StatusCode.PermissionDenied,
        404 or 410 => StatusCode.NotFound,
        409 => StatusCode.Aborted,
        413 or 429 => StatusCode.ResourceExhausted,
        405 or 501 => StatusCode.Unimplemented,
        503 => StatusCode.Unavailable,
        504 => StatusCode.DeadlineExceeded,
        _ => StatusCode.Internal,
    };

    private static IEnumerable<(string Name, string Value)> Fields(Refusal refusal)
    {
        yield return (CodeField, ErrorCodes.All[refusal.Code].Name);
        if (refusal.RetryAfter is { } seconds)
            yield return (PushbackField, Text(1000 * seconds));
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <remarks>Source: gRPC over HTTP/2, Status-Message.</remarks>
    private static string PercentEncoded(string text)
    {
        var encoded = new StringBuilder(text.Length);
        foreach (var value in Encoding.UTF8.GetBytes(text))
        {
            if (value is >= 0x20 and <= 0x7E and not (byte)'%')
                encoded.Append((char)value);
            else
                encoded.Append(CultureInfo.InvariantCulture, $"%{value:X2}");
        }
        return encoded.ToString();
    }
}
