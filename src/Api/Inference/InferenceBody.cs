using System.Globalization;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Errors;

namespace Millrace.Api.Inference;

/// <summary>A body as its header frames it: JSON, then the tensors that do not lie in the JSON.</summary>
/// <param name="Json">All of the body where the header is absent; empty in a raw binary request.</param>
/// <param name="Tensors">In the order of the inputs, nothing between.</param>
/// <param name="IsFramed">The header is there. Absent and 0 differ.</param>
/// <remarks>Source: Triton's binary tensor data extension.</remarks>
internal readonly record struct InferenceBody(ReadOnlyMemory<byte> Json, ReadOnlyMemory<byte> Tensors, bool IsFramed)
{
    public const string Header = "Inference-Header-Content-Length";

    /// <summary>The body is the one input's tensor, and there is no JSON.</summary>
    public bool IsRaw => IsFramed && Json.IsEmpty;

    /// <param name="body">After its content coding is undone; the header counts bytes of that.</param>
    /// <exception cref="RefusedException">400: the header is no length within the body.</exception>
    public static InferenceBody Of(HttpRequest request, ReadOnlyMemory<byte> body)
    {
        if (!request.Headers.TryGetValue(Header, out var sent))
            return new InferenceBody(body, default, IsFramed: false);
        var text = sent.ToString();
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var length) && length <= body.Length
            ? new InferenceBody(body[..(int)length], body[(int)length..], IsFramed: true)
            : throw new RefusedException(ErrorCode.InvalidRequest,
                $"{Header} is \"{Printable(text)}\"; it must be the number of bytes of the JSON before the tensors, in digits, and the body has {body.Length} bytes (after its content coding is undone).");
    }

    private static string Printable(string text) => text.Length <= 32 ? text : text[..32] + "…";
}
