using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Errors;
using Millrace.Api.Inference;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

/// <summary>The header Idempotency-Key: quoted as the draft says, or bare as most send it.</summary>
/// <remarks>Source: draft-ietf-httpapi-idempotency-key-header.</remarks>
internal static partial class Idempotency
{
    /// <param name="body">After its content coding is undone: the same body compressed twice may differ.</param>
    /// <exception cref="RefusedException">400: the key has a bad form.</exception>
    public static IdempotencyKey? Of(HttpRequest request, ReadOnlySpan<byte> body)
    {
        if (!request.Headers.TryGetValue("Idempotency-Key", out var sent))
            return null;
        var text = sent is [{ } one] ? one.Trim() : "";
        var key = text is ['"', .. var inner, '"'] ? inner : text;
        if (!Form().IsMatch(key))
            throw new RefusedException(ErrorCode.InvalidIdempotencyKey, "Idempotency-Key must be 1 to 255 of A-Z a-z 0-9 . _ : - and may stand in double quotes.");
        var scope = $"{request.Method} {request.Path}";
        return new IdempotencyKey(scope, key, Fingerprint(scope, request, body));
    }

    /// <summary>Where the JSON ends is part of what is said: the same bytes cut elsewhere are another request.</summary>
    private static byte[] Fingerprint(string scope, HttpRequest request, ReadOnlySpan<byte> body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var frame = request.Headers.TryGetValue(InferenceBody.Header, out var length) ? $"{length}\n" : "";
        hash.AppendData(Encoding.UTF8.GetBytes($"{scope}\n{request.ContentType?.Split(';')[0].Trim().ToLowerInvariant()}\n{frame}"));
        hash.AppendData(body);
        return hash.GetHashAndReset();
    }

    [GeneratedRegex(@"^[A-Za-z0-9._:-]{1,255}\z")]
    private static partial Regex Form();
}
