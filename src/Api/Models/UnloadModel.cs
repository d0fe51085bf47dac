using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Http;

namespace Millrace.Api.Models;

/// <remarks>Source: KServe's answer to an unload.</remarks>
public sealed record ModelUnloaded(string Name, bool Unload);

internal static class UnloadModel
{
    public static async Task HandleAsync(HttpContext context, ModelWishes wishes, HttpOptions options, string model)
    {
        using var body = await RequestBody.ReadAsync(context, options.MaxBodyBytes);
        RepositoryRequest.Check(body.Bytes);
        await wishes.UnloadAsync(model, context.Audit(model), context.RequestAborted);
        await JsonBody.WriteAsync(context, new ModelUnloaded(model, true), ApiJson.Default.ModelUnloaded);
    }
}
