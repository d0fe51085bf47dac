using System.Buffers;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Http;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Inference;

/// <summary>An inference response as an answer: JSON, and after it the tensors that are wanted in binary, from where they lie.</summary>
/// <remarks>Source: Triton's binary tensor data extension.</remarks>
internal static class InferenceAnswer
{
    /// <param name="mayCode">Compress it if the client asks for that.</param>
    /// <exception cref="NotJsonException">A tensor has values that JSON can't say, and is not wanted in binary.</exception>
    public static async Task WriteAsync(HttpContext context, InferenceResponse response, bool mayCode)
    {
        var json = InferenceJsonWriter.Write(response);
        var tensors = response.Outputs.Where(o => o.AsBinary).Select(o => o.Data).ToArray();
        if (tensors.Length > 0)
            context.Response.Headers[InferenceBody.Header] = json.Length.ToString(CultureInfo.InvariantCulture); // of the JSON before it is compressed
        context.Response.ContentType = tensors.Length > 0 ? "application/octet-stream" : "application/json";
        var length = json.Length + tensors.Sum(t => (long)t.Length);
        if (mayCode && AnswerCoding.Choose(context.Request, length) is { } coding)
        {
            context.Response.Headers.ContentEncoding = coding;
            context.Response.Headers.Vary = "Accept-Encoding";
            (json, tensors) = (AnswerCoding.Encode([json, .. tensors], coding), []);
            length = json.Length;
        }
        context.Response.ContentLength = length;
        var body = context.Response.BodyWriter;
        if (tensors.Length == 0)
        {
            await body.WriteAsync(json);
            return;
        }
        body.Write(json.Span); // leaves together with the first tensor
        foreach (var tensor in tensors)
            await body.WriteAsync(tensor);
    }
}
