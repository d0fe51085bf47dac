using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Millrace.Api.Http;

/// <summary>Writes a whole JSON body at once, with its length.</summary>
internal static class JsonBody
{
    public static Task WriteAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type, string mediaType = "application/json") =>
        WriteAsync(context, JsonSerializer.SerializeToUtf8Bytes(value, type), mediaType);

    public static async Task WriteAsync(HttpContext context, ReadOnlyMemory<byte> body, string mediaType = "application/json")
    {
        context.Response.ContentType = mediaType;
        context.Response.ContentLength = body.Length;
        await context.Response.BodyWriter.WriteAsync(body);
    }
}
