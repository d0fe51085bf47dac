using System.Collections.Frozen;
using System.Text;

namespace Millrace.Api.Errors;

/// <summary>The closed list of what can be wrong with a request. On the wire in snake_case.</summary>
public enum ErrorCode
{
    InvalidJson,
    InvalidRequest,
    InvalidTensor,
    InvalidCursor,
    InvalidIdempotencyKey,
    Unauthorized,
    Forbidden,
    JobNotFound,
    ModelNotFound,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    JobNotFinished,
    JobNotCancelable,
    NoResult,
    IdempotencyInProgress,
    PlanChanged,
    Conflict,
    ResultExpired,
    InputExpired,
    PayloadTooLarge,
    UnsupportedMediaType,
    UnsupportedEncoding,
    IdempotencyKeyReused,
    RateLimited,
    QuotaExceeded,
    Internal,
    NotImplemented,
    QueueFull,
    Overloaded,
    Unavailable,
    ModelNotReady,
    ShuttingDown,
    DeadlineExceeded,
}

/// <param name="Title">The same for every problem of this code.</param>
/// <param name="Meaning">When it is sent, and what the client can do.</param>
public sealed record ErrorInfo(ErrorCode Code, string Name, int Status, string Title, string Meaning);

public static class ErrorCodes
{
    public static readonly FrozenDictionary<ErrorCode, ErrorInfo> All = new[]
    {
        Of(ErrorCode.InvalidJson, 400, "The body is not valid JSON", "The body can't be read as JSON in UTF-8, or is nested deeper than 100 levels."),
        Of(ErrorCode.InvalidRequest, 400, "The request is not valid", "A member, query parameter or header has a wrong type or value; `errors` points to each."),
        Of(ErrorCode.InvalidTensor, 400, "A tensor does not fit the model", "Name, datatype, shape, number of elements or bytes, or a value of a tensor is not what the model takes, or an output's values can't be written as JSON: ask for it in binary."),
        Of(ErrorCode.InvalidCursor, 400, "The cursor is not valid", "The cursor was changed, or belongs to a list with other filters. Start again without one."),
        Of(ErrorCode.InvalidIdempotencyKey, 400, "The idempotency key is not valid", "Idempotency-Key takes 1 to 255 of A-Z a-z 0-9 . _ : - and may stand in double quotes."),
        Of(ErrorCode.Unauthorized, 401, "Authentication is needed", "Send a valid key as `Authorization: Bearer`. One answer for no key, a wrong, an expired and a revoked one."),
        Of(ErrorCode.Forbidden, 403, "The caller may not do this", "The key lacks the role that the route needs, or a web page of another origin or under a foreign name calls."),
        Of(ErrorCode.JobNotFound, 404, "There is no such job", "The id is unknown, the job was deleted, or its time is over."),
        Of(ErrorCode.ModelNotFound, 404, "There is no such model", "No worker has announced a model of this name and version, or it is not for this tenant."),
        Of(ErrorCode.NotFound, 404, "There is nothing here", "No route has this path."),
        Of(ErrorCode.MethodNotAllowed, 405, "The method is not allowed here", "`Allow` lists the methods of this path."),
        Of(ErrorCode.NotAcceptable, 406, "The answer can't be given in that form", "`Accept` asks for a form that this answer does not have."),
        Of(ErrorCode.JobNotFinished, 409, "The job is not finished", "Ask again later, or with ?wait=."),
        Of(ErrorCode.JobNotCancelable, 409, "The job can't be canceled", "It has ended already."),
        Of(ErrorCode.NoResult, 409, "The job has no result", "It failed, was canceled or expired; read the job for the reason."),
        Of(ErrorCode.IdempotencyInProgress, 409, "The first request with this key is not done", "Repeat the request a little later. Reserved: the store lets the second request wait for the first, and answers both with the same job."),
        Of(ErrorCode.PlanChanged, 409, "The matched set has changed", "Make a new dry run."),
        Of(ErrorCode.Conflict, 409, "The request conflicts with the present state", "Read the present state and decide again: it is the last key with the role admin, the first key lacks it, or chaos is not enabled."),
        Of(ErrorCode.ResultExpired, 410, "The result is no longer kept", "Results are kept for result_ttl seconds after the end."),
        Of(ErrorCode.InputExpired, 410, "The input is no longer kept", "Inputs are kept for result_ttl seconds after the end."),
        Of(ErrorCode.PayloadTooLarge, 413, "The request is too large", "The body, after its content coding is undone, passes the limit; or a request or answer of the sync lane is larger than a message of the broker may be: send a job; or the outputs pass the model's `max_output_bytes`."),
        Of(ErrorCode.UnsupportedMediaType, 415, "The media type is not supported", "Send application/json. Reserved: no route looks at the media type of a body."),
        Of(ErrorCode.UnsupportedEncoding, 415, "The content coding is not supported", "`Accept-Encoding` lists what is."),
        Of(ErrorCode.IdempotencyKeyReused, 422, "The idempotency key was used for another request", "Use a new key for a new request."),
        Of(ErrorCode.RateLimited, 429, "Too many requests", "The quota of the key, the tenant or the key for the model is used up in this window, or too many wrong keys came from this address. Wait for Retry-After seconds."),
        Of(ErrorCode.QuotaExceeded, 429, "Too many own jobs", "The tenant has as many jobs queued or running as it may. Wait until some have ended."),
        Of(ErrorCode.Internal, 500, "Something went wrong here", "It is logged with the request id."),
        Of(ErrorCode.NotImplemented, 501, "This is not built yet", "The detail names what."),
        Of(ErrorCode.QueueFull, 503, "The queue is full", "A job would wait longer than its expires_in or the model's limit, a request longer than its timeout, or as many wait as may. Come back after Retry-After seconds, which is when there should be room, or send a job."),
        Of(ErrorCode.Overloaded, 503, "Too many requests are in work", "This replica has as many requests, waits or bytes of bodies in hand as it takes. Wait for Retry-After seconds."),
        Of(ErrorCode.Unavailable, 503, "A part behind this service is unavailable", "The store or the broker can't be used now; without the broker jobs are accepted all the same. Or a model is to be loaded, and no worker is alive that has it. Whether a submission was stored may be unknown: repeat it with the same Idempotency-Key."),
        Of(ErrorCode.ModelNotReady, 503, "The model is not ready", "It is known but can't serve now; its index entry gives the reason."),
        Of(ErrorCode.ShuttingDown, 503, "This process is stopping", "Repeat the request; another process takes it."),
        Of(ErrorCode.DeadlineExceeded, 504, "The deadline passed", "The answer did not come in time. Allow more time, or send a job. A load or unload goes on."),
    }.ToFrozenDictionary(e => e.Code);

    private static ErrorInfo Of(ErrorCode code, int status, string title, string meaning) => new(code, SnakeCase(code.ToString()), status, title, meaning);

    private static string SnakeCase(string name)
    {
        var text = new StringBuilder();
        foreach (var letter in name)
        {
            if (char.IsUpper(letter) && text.Length > 0)
                text.Append('_');
            text.Append(char.ToLowerInvariant(letter));
        }
        return text.ToString();
    }
}
