using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Http;

namespace Millrace.Api.Models;

/// <remarks>Source: KServe's answer to a load.</remarks>
public sealed record ModelLoaded(string Name, bool Load);

internal static class LoadModel
{
    public static async Task HandleAsync(HttpContext context, ModelWishes wishes, HttpOptions options, string model)
    {
        using var body = await RequestBody.ReadAsync(context, options.MaxBodyBytes);
        RepositoryRequest.Check(body.Bytes);
        await wishes.LoadAsync(model, context.Audit(model), context.RequestAborted);
        await JsonBody.WriteAsync(context, new ModelLoaded(model, true), ApiJson.Default.ModelLoaded);
    }
}
